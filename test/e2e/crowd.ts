/**
 * A crowd of clients that hold a node up: connections that say nothing more, uploads that hardly move, and downloads that
 * nobody reads. Meanwhile one well-behaved client writes and reads small files, and what it waits for is the result.
 */
import { readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { openClient } from './client.ts'
import { replicasOf } from './cluster.ts'
import { type NodeProcess, residentBytes, waitFor } from './harness.ts'

export interface CrowdOptions {
  readonly node: NodeProcess
  /** Connections that send one request and stay. */
  readonly idle: number
  /** Uploads that send 80 KiB and then a byte each second. */
  readonly uploads: number
  /** Downloads of a large file of which nothing is read. */
  readonly downloads: number
  /** Where that file is, and the small one of the well-behaved client. */
  readonly paths?: { readonly large: string; readonly small: string }
  /** Of the large file, bytes. */
  readonly fileBytes: number
  /** How long the crowd stays once all of it is there, ms. */
  readonly stayMs: number
}

export interface CrowdResult {
  /** Of each kind, how many were still open at the end of the stay. */
  readonly open: { readonly idle: number; readonly uploads: number; readonly downloads: number }
  /** Status lines that the crowd was sent, and how often. */
  readonly statuses: Readonly<Record<string, number>>
  /** What the well-behaved client waited for a write and a read together, ms. */
  readonly waitsMs: { readonly count: number; readonly median: number; readonly longest: number }
  /** Answers of the well-behaved client that were no success. */
  readonly refused: number
  /** Of the node. */
  readonly anonymousBytes: { readonly before: number; readonly most: number; readonly after: number }
  readonly descriptors: { readonly before: number; readonly most: number; readonly after: number }
}

/** Connections opened at once: more would overflow the queue of the listening socket. */
const OPENED_AT_ONCE = 200

/** The crowd stays until the well-behaved client was answered so often beside it. */
const SERVED_MIN = 5

/** Of each upload. */
const UPLOAD_BYTES = 1024 * 1024

/** What each upload sends at once: more than is gathered in memory. */
const UPLOAD_BEGINS = 'x'.repeat(80 * 1024)

export async function runCrowd(options: CrowdOptions): Promise<CrowdResult> {
  const { node, idle, uploads, downloads, fileBytes, stayMs } = options
  const { paths = { large: 'crowd/large', small: 'crowd/small' } } = options
  const client = openClient(node.url)
  const crowd = new Crowd(node.port)
  try {
    const stored = await client.put(paths.large, Buffer.alloc(fileBytes, 'large'))
    if (stored.status !== 201) throw new Error(`the large file was refused: ${stored.status}`)
    const watch = new Watch(node.pid)
    const before = await watch.sample()
    const polite = politeClient(node.url, paths.small)
    await crowd.open('idle', idle, 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    await crowd.open('downloads', downloads, `GET /get/${paths.large} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    await crowd.open('uploads', uploads, uploadHead)
    const ends = performance.now() + stayMs
    const servedBefore = polite.served()
    while (performance.now() < ends || polite.served() < servedBefore + SERVED_MIN) {
      crowd.trickle()
      await watch.sample()
      await delay(Math.min(1_000, stayMs))
    }
    const open = crowd.stillOpen()
    const { statuses } = crowd
    const waits = await polite.stop()
    crowd.close()
    await waitFor(async () => (await descriptorsOf(node.pid)) < before.descriptors + 20, {
      what: 'the node has closed what the crowd left behind',
      timeoutMs: 120_000,
      pauseMs: 200,
    })
    const after = await watch.sample()
    return {
      open,
      statuses,
      ...waits,
      anonymousBytes: { before: before.anonymous, most: watch.most.anonymous, after: after.anonymous },
      descriptors: { before: before.descriptors, most: watch.most.descriptors, after: after.descriptors },
    }
  } finally {
    crowd.close()
    await client.close()
  }
}

/** A file that a node does not keep, and one of the same replicas. */
export function pathsElsewhere(
  address: string,
  addresses: readonly string[],
): { readonly large: string; readonly small: string } {
  const kept = Array.from({ length: 10_000 }, (_, number) => `crowd/${number}`).map(
    path => [path, replicasOf(path, addresses)] as const,
  )
  const [large, replicas] = kept.find(([, nodes]) => !nodes.includes(address)) ?? []
  const [small] = kept.find(([path, nodes]) => path !== large && nodes.join() === replicas?.join()) ?? []
  if (large === undefined || small === undefined) throw new Error(`${address} keeps everything`)
  return { large, small }
}

type Kind = keyof CrowdResult['open']

function uploadHead(index: number): string {
  return (
    `PUT /put/crowd/slow/${index} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
    `Content-Type: application/octet-stream\r\nContent-Length: ${UPLOAD_BYTES}\r\n\r\n${UPLOAD_BEGINS}`
  )
}

/** Bare sockets to one node. */
class Crowd {
  readonly statuses: Record<string, number> = {}
  readonly #port: number
  readonly #sockets: { readonly kind: Kind; readonly socket: Socket }[] = []

  constructor(port: number) {
    this.#port = port
  }

  /** Opens so many, a bounded number at once, and sends each its head. */
  async open(kind: Kind, count: number, head: string | ((index: number) => string)): Promise<void> {
    for (let first = 0; first < count; first += OPENED_AT_ONCE) {
      const some = Math.min(OPENED_AT_ONCE, count - first)
      const opened = Array.from({ length: some }, (_, index) =>
        this.#open(kind, typeof head === 'string' ? head : head(first + index)),
      )
      await Promise.all(opened)
    }
  }

  /** One more byte of each upload that the node still takes. */
  trickle(): void {
    for (const { kind, socket } of this.#sockets) if (kind === 'uploads' && socket.writable) socket.write('x')
  }

  stillOpen(): CrowdResult['open'] {
    const count = (wanted: Kind) =>
      this.#sockets.filter(({ kind, socket }) => kind === wanted && !socket.destroyed).length
    return { idle: count('idle'), uploads: count('uploads'), downloads: count('downloads') }
  }

  close(): void {
    for (const { socket } of this.#sockets) socket.destroy()
  }

  #open(kind: Kind, head: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.#port, host: '127.0.0.1' }, () => {
        socket.write(head)
        resolve()
      })
      this.#sockets.push({ kind, socket })
      socket.on('error', reject)
      socket.once('data', chunk => {
        const status = `${kind} ${/^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1'))?.[1]}`
        this.statuses[status] = (this.statuses[status] ?? 0) + 1
        if (kind === 'downloads') socket.pause()
      })
    })
  }
}

/** The memory and the descriptors of a process. */
class Watch {
  readonly most = { anonymous: 0, descriptors: 0 }
  readonly #pid: number

  constructor(pid: number) {
    this.#pid = pid
  }

  async sample(): Promise<{ anonymous: number; descriptors: number }> {
    const anonymous = await residentBytes(this.#pid)
    const descriptors = await descriptorsOf(this.#pid)
    this.most.anonymous = Math.max(this.most.anonymous, anonymous)
    this.most.descriptors = Math.max(this.most.descriptors, descriptors)
    return { anonymous, descriptors }
  }
}

async function descriptorsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}

/** Writes and reads a small file, again and again. */
function politeClient(
  url: string,
  path: string,
): {
  /** How often it was answered so far. */
  served(): number
  stop(): Promise<Pick<CrowdResult, 'waitsMs' | 'refused'>>
} {
  const client = openClient(url)
  const waits: number[] = []
  let refused = 0
  let running = true
  const work = (async () => {
    while (running) {
      const began = performance.now()
      const put = await client.put(path, 'small', { query: '?overwrite=true' })
      const got = await client.send('GET', `/get/${path}`)
      if (put.status >= 300 || got.status !== 200) refused++
      waits.push(performance.now() - began)
      await delay(50)
    }
  })()
  return {
    served: () => waits.length,
    async stop() {
      running = false
      await work
      await client.close()
      waits.sort((a, b) => a - b)
      const median = waits[Math.floor(waits.length / 2)] ?? Number.NaN
      return { waitsMs: { count: waits.length, median, longest: waits.at(-1) ?? Number.NaN }, refused }
    },
  }
}
