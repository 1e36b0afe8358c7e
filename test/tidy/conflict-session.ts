/**
 * The network of the sessions about files that stand beside each other: two nodes that have both taken a write of `notes/c.txt` while the other one was down.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type RunningNode, runningNode, settled } from '../running-node.ts'

/** Opens a block of commands that are run against this network. */
export const CONFLICT_BLOCK = 'console conflict'

const PATH = 'notes/c.txt'
const FLAGS = { consistency: 'eventual', replicas: '2' }

export interface Conflict {
  readonly ports: readonly number[]
  /** Of both versions. */
  readonly etags: readonly string[]
}

/** @param folder for the data of the nodes. */
export async function conflictNetwork(
  t: { teardown(end: () => unknown): unknown },
  folder: string,
): Promise<Conflict> {
  const start = (name: string, port: string, boot: string) =>
    runningNode(t, { ...FLAGS, data: `${folder}/${name}`, port, boot })
  const a = await start('a', '0', '0')
  const b = await start('b', '0', a.url)
  await settled([a.url, b.url])
  const [portA, portB] = [portOf(a), portOf(b)]
  await a.node.stop()
  await put(b.url, 'of b\n')
  await b.node.stop()
  const againA = await start('a', portA, b.url)
  await put(againA.url, 'of a\n')
  const againB = await start('b', portB, againA.url)
  const etags = await bothVersions([againA.url, againB.url])
  return { ports: [Number(portA), Number(portB)], etags }
}

function portOf({ url }: RunningNode): string {
  return new URL(url).port
}

async function put(url: string, body: string): Promise<void> {
  const reply = await fetch(`${url}/put/${PATH}`, { method: 'PUT', body })
  if (reply.status !== 201)
    throw new Error(`The write was answered with ${reply.status}: ${await reply.text()}`)
  await reply.arrayBuffer()
}

/** Waits until each node has both. */
async function bothVersions(urls: readonly string[]): Promise<string[]> {
  for (;;) {
    const all = await Promise.all(urls.map(versionsAt))
    const [first, ...others] = all.map(etags => etags.join())
    if (all[0]?.length === 2 && others.every(etags => etags === first)) return all[0]
    await delay(50)
  }
}

async function versionsAt(url: string): Promise<string[]> {
  const shown = await fetch(`${url}/get/${PATH}`)
  const reply = await fetch(`${url}/get/${PATH}?versions`)
  await shown.arrayBuffer()
  if (!reply.ok || shown.headers.get('conflicts') !== '1') return []
  const { versions } = (await reply.json()) as { versions: { etag: string }[] }
  return versions.map(({ etag }) => etag.slice(1, -1))
}
