/**
 * The load under which networks are watched: one of the project's clients for each node, with its own retries, that
 * writes small files and reads them back, one request after the other, and remembers the longest it had to wait.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { StoreClient } from '../../src/client/client.ts'
import { CLUSTER_TIMEOUT_MS } from './cluster.ts'
import { waitFor } from './harness.ts'

export interface LoadResult {
  /** Paths whose write was answered. */
  readonly written: readonly string[]
  readonly failures: readonly string[]
  /** The longest that one write, one read took with all retries of the client, ms. */
  readonly longestWriteMs: number
  readonly longestReadMs: number
}

export interface Load {
  /** Resolves when every client has been answered: from then on it knows other nodes than its own. */
  underWay(): Promise<void>
  /** Resolves when so many more writes are answered. */
  more(writes: number): Promise<void>
  end(): Promise<LoadResult>
}

/** Between a read and the next write of one client, ms: the network shall be busy, not the machine. */
const THINK_MS = 10

/** What is written at a path, of a few words. */
function shortBodyOf(path: string): string {
  return `bytes of ${path}`
}

/** Bodies of all sizes, from some words to 200 KB, by the last part of a path, which is a number. */
export function mixedBodyOf(path: string): string {
  const number = Number(path.slice(path.lastIndexOf('/') + 1))
  return shortBodyOf(path).repeat(MIXED_REPEATS[number % MIXED_REPEATS.length] as number)
}

const MIXED_REPEATS = [1, 20, 1, 200, 5, 50, 1, 1_000, 20, 10_000]

/** @param addresses a client each; more clients by naming one twice. */
export function startLoad(
  addresses: readonly string[],
  folder: string,
  bodyOf: (path: string) => string = shortBodyOf,
): Load {
  const written: string[] = []
  const failures: string[] = []
  let longestWriteMs = 0
  let longestReadMs = 0
  let running = true
  const answered = new Set<number>()
  const timed = async (act: () => Promise<void>): Promise<number> => {
    const began = performance.now()
    await act().catch((error: unknown) => failures.push(String(error)))
    return performance.now() - began
  }
  const one = async (address: string, index: number) => {
    // A node takes some seconds to come back on a loaded machine; the client's own waits between tries double.
    const client = new StoreClient({ node: `http://${address}`, attemptsMax: 10 })
    for (let number = 0; running; number++) {
      const path = `${folder}/${index}/${number}`
      let isWritten = false
      const write = async () => {
        await client.put(path, bodyOf(path))
        written.push(path)
        isWritten = true
        answered.add(index)
      }
      const read = async () => {
        for await (const _ of (await client.get(path)).body);
      }
      longestWriteMs = Math.max(longestWriteMs, await timed(write))
      if (isWritten) longestReadMs = Math.max(longestReadMs, await timed(read))
      await delay(THINK_MS)
    }
    await client.close()
  }
  const clients = Promise.all(addresses.map(one))
  return {
    underWay: () =>
      waitFor(() => answered.size === addresses.length, {
        what: 'every client is answered',
        timeoutMs: CLUSTER_TIMEOUT_MS,
      }),
    more(writes) {
      const wanted = written.length + writes
      return waitFor(() => written.length >= wanted, {
        what: `${writes} more writes are answered`,
        timeoutMs: CLUSTER_TIMEOUT_MS,
      })
    },
    async end() {
      running = false
      await clients
      return { written, failures, longestWriteMs, longestReadMs }
    },
  }
}
