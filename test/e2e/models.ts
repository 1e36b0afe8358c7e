/**
 * What the tests of the two models of consistency have in common: files of a few words, the state of nodes, and halves that can't talk.
 */
import type { Client, Reply } from './client.ts'
import type { Cluster, ClusterNode } from './cluster.ts'
import { waitFor } from './harness.ts'

export const EVENTUAL = ['--consistency', 'eventual'] as const

/** A file of a few words, whatever stands there. */
export function write(
  client: Client,
  path: string,
  text: string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const query = Object.keys(headers).length === 0 ? '?overwrite=true' : ''
  return client.put(path, text, { query, headers })
}

export async function read(client: Client, path: string): Promise<string | undefined> {
  const reply = await client.send('GET', `/get/${path}`)
  return reply.status === 200 ? reply.body.toString() : undefined
}

export async function versionsAt(
  client: Client,
  path: string,
): Promise<readonly { readonly etag: string; readonly size: number }[]> {
  const reply = await client.send('GET', `/get/${path}?versions`)
  return reply.status === 200 ? (reply.json() as { versions: [] }).versions : []
}

interface Status {
  readonly eventual: {
    readonly owed: number
    readonly tombstones: number
    readonly records: number
    readonly comparing: number
  }
}

export async function statusOf(client: Client): Promise<Status['eventual']> {
  return ((await client.send('GET', '/status')).json() as unknown as Status).eventual
}

/** Nothing waits to be passed on, anywhere. */
export async function atRest(nodes: readonly ClusterNode[]): Promise<void> {
  const isAtRest = async () => {
    const all = await Promise.all(nodes.map(({ client }) => statusOf(client)))
    return all.every(({ owed, comparing }) => owed === 0 && comparing === 0)
  }
  await waitFor(isAtRest, { what: 'nothing is owed', timeoutMs: 60_000, pauseMs: 200 })
}

export function cutHalves(cluster: Cluster, some: readonly number[]): void {
  const addresses = cluster.nodes.map(({ address }) => address)
  for (const [a, from] of addresses.entries())
    for (const [b, to] of addresses.entries())
      if (some.includes(a) !== some.includes(b)) cluster.links.cut(from, to, 'refuse')
}

export async function inParallel(
  paths: readonly string[],
  act: (path: string) => Promise<unknown>,
): Promise<void> {
  const waiting = [...paths]
  const next = async () => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) await act(path)
  }
  await Promise.all(Array.from({ length: 16 }, next))
}
