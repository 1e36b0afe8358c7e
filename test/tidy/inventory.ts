/**
 * What the code really has: asked of the program, the server and the tables themselves, never written down twice.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { CONNECTION_VARIABLES } from '../../src/cli/connection.ts'
import { buildProgram } from '../../src/cli/main.ts'
import { realEnv } from '../../src/env.ts'
import { ERROR_CODES } from '../../src/errors.ts'
import { FileService } from '../../src/files/file-service.ts'
import { buildServer } from '../../src/http/server.ts'
import { readNodeConfig } from '../../src/read-config.ts'
import type { Address } from '../../src/ring/identifier.ts'
import { SETTINGS, type Setting } from '../../src/settings.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { scriptedSession } from '../cli/scripted-session.ts'
import { noControl } from '../http/running-server.ts'
import { foundedRing } from '../ring-node/founded-ring.ts'
import type { Inventory, Page } from './doc-rules.ts'

/** The root of the repository, ending with `/`. */
export const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url))

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(repositoryRoot, path), 'utf8') }
}

/** Paths of all files under a folder of the repository with this ending, relative to the root, sorted. */
export function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(ending) && !name.includes('node_modules'))
    .map(name => `${folder}/${name}`)
    .sort()
}

export const program: Command = await buildProgram(scriptedSession())

/** The commands of the program and their own commands. */
export function everyCommand(): Command[] {
  return program.commands.flatMap(command => [command, ...command.commands])
}

/** The settings of every npm script that the package has. */
export function packageFields(): { scripts: Record<string, string>; version: string; files: string[] } {
  return JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'))
}

export async function takeInventory(): Promise<Inventory> {
  const settings: Setting[] = Object.values(SETTINGS)
  const commands = everyCommand()
  return {
    options: new Set([...commands, program].flatMap(flagsOf)),
    variables: new Set([
      ...settings.flatMap(({ variable, secret }) => (secret ? [variable, `${variable}_FILE`] : [variable])),
      ...Object.values(CONNECTION_VARIABLES),
    ]),
    commands: new Set(['help', ...commands.map(command => command.name())]),
    codes: new Set(Object.keys(ERROR_CODES)),
    routes: await routesOfServer(),
    npmScripts: new Set(Object.keys(packageFields().scripts)),
    hasFile: path => existsSync(join(repositoryRoot, path)),
  }
}

function flagsOf(command: Command): string[] {
  const flags = command.options.flatMap(({ short, long }) => [short, long])
  return [...flags, '-h', '--help'].filter(flag => typeof flag === 'string')
}

/** `GET /get/*` and so on, from the contract that the server itself shows. */
async function routesOfServer(): Promise<string[]> {
  const address = '127.0.0.1:0' as Address
  const env = realEnv()
  const storage = new MemoryStorage({ env })
  const ring = foundedRing(env, storage, address)
  const files = new FileService(
    { replication: ring.replication, storage },
    { consistency: 'chain', fileBytesMax: 1 },
  )
  const facts = { address, version: '0', notReadyBecause: () => undefined }
  const server = await buildServer(
    { files, ring, control: noControl, env },
    { config: readNodeConfig({ memory: true }, {}), facts },
  )
  try {
    const reply = await server.inject({ url: '/openapi.json', headers: { host: address } })
    const { paths } = reply.json() as { paths: Record<string, Record<string, unknown>> }
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(method => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '*')}`),
    )
    // An endpoint that also answers without a rest, such as /list, is one line of the contract and two routes.
    const bare = routes
      .map(route => route.replace(/\/\*$/, ''))
      .filter(route => {
        const [method = '', url = ''] = route.split(' ')
        return server.hasRoute({ method: method as 'GET', url })
      })
    return [...new Set([...routes, ...bare])]
  } finally {
    await server.close()
    await ring.close()
    await storage.close()
  }
}
