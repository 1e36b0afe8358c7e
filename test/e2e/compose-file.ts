/**
 * What docker-compose.yml and the Dockerfile say of the nodes: their names, their environment and the program that
 * runs in them, so that tests without a container engine start the very same thing.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { repositoryRoot } from './harness.ts'

/** One service of the compose file. */
export interface ComposeNode {
  readonly name: string
  readonly port: number
  /** Of the image, then of the service. */
  readonly environment: Readonly<Record<string, string>>
  /** The program of the image and its arguments. */
  readonly command: readonly string[]
}

export interface ComposeService {
  readonly image: string
  readonly environment: Readonly<Record<string, string | number>>
  ports: string[]
  readonly volumes: readonly string[]
  readonly restart: string
  readonly stop_grace_period: string
  build?: string
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
}

/** The compose file with its anchors resolved. */
export function readComposeFile(): ComposeFile {
  return parse(readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8'), {
    merge: true,
  }) as ComposeFile
}

/** The instructions of the Dockerfile's last stage, continued lines joined. */
export function readImage(): { readonly instruction: string; readonly rest: string }[] {
  const text = readFileSync(join(repositoryRoot, 'Dockerfile'), 'utf8')
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean)
  const last = lines.findLastIndex(line => line.startsWith('FROM '))
  return lines.slice(last).map(line => {
    const [instruction = '', ...rest] = line.split(' ')
    return { instruction, rest: rest.join(' ') }
  })
}

export function composeNodes(): ComposeNode[] {
  const image = readImage()
  const command = JSON.parse(
    image.findLast(({ instruction }) => instruction === 'CMD')?.rest ?? '',
  ) as string[]
  const ofImage = image
    .filter(({ instruction }) => instruction === 'ENV')
    .flatMap(({ rest }) => rest.split(' ').map(pair => pair.split('=') as [string, string]))
  return Object.entries(readComposeFile().services).map(([name, service]) => {
    const ofService = Object.entries(service.environment).map(([key, value]) => [key, String(value)] as const)
    const environment = Object.fromEntries([...ofImage, ...ofService])
    return { name, port: Number(environment.PORT), environment, command }
  })
}
