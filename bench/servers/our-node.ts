/**
 * Our own node as a server under load: a real process with the settings that `node start` has by default.
 */

import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { cp, mkdtemp, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type NodeProcess, repositoryRoot, startNode } from '../../test/e2e/harness.ts'
import type { Server } from './server.ts'

export interface OurNode extends Server {
  readonly process: NodeProcess
}

/** Starts a node on a data directory. `nodeFlags` are for profiles. */
export async function openOurNode(
  dataDirectory: string,
  nodeFlags: readonly string[] = profileFlags(),
): Promise<OurNode> {
  const process = await startNode({
    program: await ourProgram(),
    dataDirectory,
    nodeFlags,
    flags: ['--log-level', 'warn'],
    readyTimeoutMs: 120_000,
  })
  return {
    name: 'altered-chord',
    process,
    port: process.port,
    pid: process.pid,
    pids: [process.pid],
    ...targets,
    async stop() {
      const { code } = await process.stop()
      if (code !== 0) throw new Error(`the node ended with ${code}:\n${process.output()}`)
    },
  }
}

let built: Promise<string> | undefined

/**
 * The start.js of what is measured: the program as the package has it, compiled, in a folder of its own that goes with this process.
 * `BENCH_PROGRAM=FOLDER/start.js` measures another one, an earlier state of this repository for example.
 */
export function ourProgram(): Promise<string> {
  built ??= process.env.BENCH_PROGRAM === undefined ? compile() : Promise.resolve(process.env.BENCH_PROGRAM)
  return built
}

async function compile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'altered-chord-compiled-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const from = (name: string) => join(repositoryRoot, name)
  const flags = ['-p', from('tsconfig.build.json'), '--outDir', join(folder, 'dist')]
  await promisify(execFile)(process.execPath, [from('node_modules/typescript/bin/tsc'), ...flags])
  for (const name of ['start.js', 'package.json']) await cp(from(name), join(folder, name))
  await cp(from('bin'), join(folder, 'bin'), { recursive: true })
  await cp(from('src/console'), join(folder, 'dist/console'), { recursive: true })
  await symlink(from('node_modules'), join(folder, 'node_modules'))
  return join(folder, 'start.js')
}

/** The endpoints that take files in and give them out. */
export const targets: Pick<Server, 'putTarget' | 'getTarget' | 'removeTarget'> = {
  putTarget: path => `/put/${path}`,
  getTarget: path => `/get/${path}`,
  removeTarget: path => `/remove/${path}`,
}

/** `BENCH_NODE_FLAGS="--cpu-prof --cpu-prof-dir=/tmp/profiles"` profiles the node of a run. */
export function profileFlags(): string[] {
  return (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter(flag => flag !== '')
}
