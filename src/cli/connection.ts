/**
 * How a command reaches a node: the options that all of them share, and the client made of them.
 */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { StoreClient } from '../client/client.ts'
import { parseQuantity } from '../quantity.ts'
import type { Environment } from '../read-config.ts'
import { type Session, usageError } from './session.ts'

export interface ConnectionOptions {
  readonly node?: string
  readonly token?: string
  /** False: no other node than that one is asked. */
  readonly direct?: boolean
  /** How long a node that does not answer yet is asked again, as a quantity. */
  readonly waitForNode?: string
}

/** The variables that hold what the shared options hold. */
export const CONNECTION_VARIABLES = {
  node: 'ALTERED_CHORD_NODE',
  token: 'ALTERED_CHORD_TOKEN',
  tokenFile: 'ALTERED_CHORD_TOKEN_FILE',
} as const

/** Whoever waits for longer than this has a mistake in the address. */
const WAIT_MS_MAX = 3_600_000

const DEFAULT_NODE = 'http://127.0.0.1:5000'

export function addConnectionOptions(command: Command): Command {
  return command
    .option('--node <url>', `any node of the network (${CONNECTION_VARIABLES.node}; default ${DEFAULT_NODE})`)
    .option('--token <token>', `what the node wants to see (better ${CONNECTION_VARIABLES.token} or …_FILE)`)
    .option(
      '--wait-for-node <time>',
      'how long to ask again while the node does not answer yet (default about 1s)',
    )
}

/** The same for a command about paths, which other nodes may keep. */
export function addPathConnectionOptions(command: Command): Command {
  return addConnectionOptions(command).option(
    '--no-direct',
    'send everything through that node (a proxy, say) and nothing straight to others',
  )
}

/** Runs `work` with a client, and closes it whatever happens. */
export async function withClient<T>(
  session: Session,
  options: ConnectionOptions,
  work: (client: StoreClient) => Promise<T>,
): Promise<T> {
  const token = options.token ?? tokenOf(session.environment)
  const node = nodeUrl(options.node ?? session.environment[CONNECTION_VARIABLES.node] ?? DEFAULT_NODE)
  const { direct = true } = options
  const firstContactMs = options.waitForNode === undefined ? 0 : waitMsOf(options.waitForNode)
  const init = { node, direct, firstContactMs, ...(token ? { token } : {}) }
  const client = new StoreClient(init, { env: session.env })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

function waitMsOf(text: string): number {
  const ms = parseQuantity(text, 'ms')
  if (ms === undefined || ms > WAIT_MS_MAX)
    throw usageError(`--wait-for-node is "${text}", and takes a time up to 1h, such as 10s.`)
  return ms
}

/** A URL as it is; HOST:PORT and PORT as with `start`. */
export function nodeUrl(text: string): string {
  const url = /^\d+$/.test(text)
    ? `http://127.0.0.1:${text}`
    : /^https?:\/\//.test(text)
      ? text
      : `http://${text}`
  if (!URL.canParse(url) || new URL(url).pathname !== '/') {
    throw usageError(`--node is "${text}", and a node is a URL such as ${DEFAULT_NODE}, HOST:PORT or a port.`)
  }
  return url
}

function tokenOf(environment: Environment): string | undefined {
  // A node may take several, the newest first; the environment may be that of a node.
  const token = environment[CONNECTION_VARIABLES.token]?.split(',')[0]
  if (token) return token
  const file = environment[CONNECTION_VARIABLES.tokenFile]
  if (!file) return undefined
  try {
    return readFileSync(file, 'utf8').trimEnd().split(',')[0]
  } catch {
    throw usageError(`${CONNECTION_VARIABLES.tokenFile} names ${file}, which cannot be read.`)
  }
}
