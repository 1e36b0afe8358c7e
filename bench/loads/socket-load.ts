/**
 * The request of a load from our own generator, for machines without wrk and for loads of an exact count.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What to send. With `uniquePaths`, request n goes to `target/XX/nQUERY`, XX two digits of n. */
export interface SocketLoad {
  readonly port: number
  readonly method: 'GET' | 'PUT'
  readonly target: string
  readonly uniquePaths?: boolean
  /** What stands after a unique path: a query. */
  readonly query?: string
  /** In place of `target`: request n goes to target n, as often as there are targets. For those that carry a signature. */
  readonly targets?: readonly string[]
  readonly connections: number
  /** Bytes of each body. */
  readonly bodyBytes?: number
  /** Ends after so many requests, or after so many ms. */
  readonly count?: number
  readonly durationMs?: number
}

export interface LoadResult {
  readonly perSecond: number
  readonly requests: number
  /** Replies other than 2xx. */
  readonly refused: number
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number }
}

/** Runs a load to its end. @throws Error when a connection breaks. */
export async function runSocketLoad(load: SocketLoad): Promise<LoadResult> {
  const program = fileURLToPath(new URL('socket-load-main.ts', import.meta.url))
  const { stdout, stderr } = await run(process.execPath, ['--import', 'tsx', program, JSON.stringify(load)])
  if (stderr !== '') console.error(stderr.trim())
  return JSON.parse(stdout) as LoadResult
}
