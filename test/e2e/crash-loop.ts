/**
 * The proof that an answered write survives kill -9: workers write small and large files to a real node, the node
 * is killed in the middle of it, started again, and everything it then shows is compared with a model of what it
 * answered. Again and again on the same data directory.
 *
 * The model holds one state for each path. Each worker has its own paths and does one thing at a time, so that at a
 * crash it has at most one write of unknown outcome; that one may have happened or not, but nothing in between.
 */
import assert from 'node:assert'
import { randomBytes, randomInt } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { INLINE_BYTES_MAX } from '../../src/storage/record.ts'
import { type Client, openClient, sha256Of, urlPath } from './client.ts'
import { crashWhileStarting, freePort, type NodeProcess, startNode, waitFor } from './harness.ts'

export interface CrashLoopOptions {
  readonly rounds: number
  readonly dataDirectory: string
  readonly flags?: readonly string[]
  readonly onRound?: (round: RoundReport) => void
}

export interface RoundReport {
  readonly round: number
  /** Writes answered 2xx in this round, of all rounds so far, and of unknown outcome in this round. */
  readonly answered: number
  readonly answeredInAll: number
  readonly unknown: number
  /** Of the unknown writes, those that had happened. */
  readonly unknownHappened: number
  /** Files and large bodies found (and compared) after the restart. */
  readonly files: number
  readonly blobs: number
  /** The restart, from spawn to ready, ms. */
  readonly startMs: number
}

/** A file as the model knows it. The ETag is unknown when the answer to its write never came. */
interface Content {
  readonly size: number
  readonly sha256: string
  readonly etag: string | undefined
}

type Files = Map<string, Content>

/** A write without an answer: the model as it is when the write has happened. `undefined` means: no file. */
interface Unknown {
  readonly what: string
  readonly after: ReadonlyMap<string, Content | undefined>
}

interface Worker {
  readonly name: string
  readonly files: Files
  counter: number
  answered: number
  unknown: Unknown | undefined
}

/** Enough to keep several large uploads and a queue of small writes under way at every moment. */
const WORKERS = 8

/** Files that a worker keeps at the most; it removes some beyond that, so that a full comparison stays quick. */
const FILES_MAX = 25

/**
 * Runs the loop.
 * @throws AssertionError at the first thing that is not as answered.
 */
export async function runCrashLoop(options: CrashLoopOptions): Promise<{ readonly answered: number }> {
  // What a trash keeps would be counted as left over; trash-crash.long.test.ts looks after it.
  const flags = ['--trash', '0', ...(options.flags ?? [])]
  const start = { port: await freePort(), dataDirectory: options.dataDirectory, flags }
  const workers = Array.from({ length: WORKERS }, (_, i): Worker => {
    return { name: `worker-${i}`, files: new Map(), counter: 0, answered: 0, unknown: undefined }
  })
  const answeredInAll = () => workers.reduce((sum, worker) => sum + worker.answered, 0)
  let node = await startNode(start)
  try {
    for (let round = 1; round <= options.rounds; round++) {
      const answeredBefore = answeredInAll()
      await writeUntilKilled(node, workers)
      if (round % 5 === 0) await crashWhileStarting(start, randomInt(20, 600))
      node = await startNode(start)
      const client = openClient(node.url)
      try {
        const unknown = workers.filter(worker => worker.unknown !== undefined).length
        const unknownHappened = await settleUnknown(client, workers)
        const files = await compareFiles(client, workers)
        const blobs = await compareDisk(options.dataDirectory, workers)
        const answered = answeredInAll() - answeredBefore
        options.onRound?.({
          ...{ round, answered, answeredInAll: answeredInAll(), unknown, unknownHappened, files, blobs },
          startMs: node.startMs,
        })
      } finally {
        await client.close()
      }
    }
    assert.deepEqual(await node.stop(), { code: 0, signal: null }, 'the node stops cleanly at the end')
  } finally {
    await node.kill()
  }
  return { answered: answeredInAll() }
}

async function writeUntilKilled(node: NodeProcess, workers: readonly Worker[]): Promise<void> {
  const client = openClient(node.url)
  const crash = { begun: false }
  const before = workers.map(worker => worker.answered)
  const working = Promise.all(
    workers.map(async worker => {
      while (!crash.begun) await writeOnce(client, worker, crash)
    }),
  )
  const killing = (async () => {
    const allHaveBegun = () => workers.every((worker, i) => worker.answered > (before[i] ?? 0))
    await waitFor(allHaveBegun, { what: 'every worker has written', pauseMs: 2 })
    await delay(randomInt(400))
    crash.begun = true
    await node.kill()
  })()
  try {
    await Promise.all([working, killing])
  } finally {
    crash.begun = true
    await client.close()
  }
}

/** One write of one worker; at a crash it becomes the worker's unknown one. */
async function writeOnce(client: Client, worker: Worker, crash: { readonly begun: boolean }): Promise<void> {
  const write = chooseWrite(client, worker)
  let status: number
  let etag: unknown
  try {
    const reply = await write.send()
    status = reply.status
    etag = reply.body.length > 0 ? reply.json().etag : undefined
  } catch (error) {
    if (!crash.begun) throw new Error(`${write.what} failed while the node was up`, { cause: error })
    worker.unknown = write
    return
  }
  assert(status >= 200 && status < 300, `${write.what} was answered ${status}`)
  worker.answered++
  apply(worker.files, write.after, typeof etag === 'string' ? etag : undefined)
}

interface Write extends Unknown {
  send(): ReturnType<Client['send']>
}

function chooseWrite(client: Client, worker: Worker): Write {
  const paths = [...worker.files.keys()]
  const existing = paths[randomInt(Math.max(1, paths.length))]
  const choice = randomInt(100)
  if (existing === undefined || (choice < 50 && paths.length < FILES_MAX)) {
    return putOf(client, newPath(worker), false)
  }
  const content = worker.files.get(existing) as Content
  if (choice < 70) return putOf(client, existing, true)
  if (choice < 80) {
    const to = newPath(worker)
    return {
      what: `move ${existing} to ${to}`,
      after: new Map([
        [existing, undefined],
        [to, content],
      ]),
      send: () =>
        client.send('POST', `/move/${encodeURIComponent(existing)}/${encodeURIComponent(to)}`, {
          body: null,
        }),
    }
  }
  if (choice < 85 && paths.length < FILES_MAX) {
    const to = newPath(worker)
    return {
      what: `copy ${existing} to ${to}`,
      after: new Map([[to, content]]),
      send: () =>
        client.send('POST', `/copy/${encodeURIComponent(existing)}/${encodeURIComponent(to)}`, {
          body: null,
        }),
    }
  }
  return {
    what: `remove ${existing}`,
    after: new Map([[existing, undefined]]),
    send: () => client.send('DELETE', `/remove/${urlPath(existing)}`),
  }
}

function putOf(client: Client, path: string, overwrite: boolean): Write {
  const bytes = randomBytes(chooseSize())
  // Half of the bodies come without a length.
  const body = randomInt(2) === 0 ? bytes : Readable.from(slices(bytes))
  return {
    what: `put ${bytes.length} bytes at ${path}`,
    after: new Map([[path, { size: bytes.length, sha256: sha256Of(bytes), etag: undefined }]]),
    send: () => client.put(path, body, { query: overwrite ? '?overwrite=true' : '' }),
  }
}

function* slices(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += INLINE_BYTES_MAX) yield bytes.subarray(at, at + INLINE_BYTES_MAX)
}

/** Mostly small, often right at the edge between a record and a blob file, sometimes several MiB. */
function chooseSize(): number {
  const choice = randomInt(100)
  if (choice < 55) return randomInt(4096)
  if (choice < 80) return INLINE_BYTES_MAX - 2 + randomInt(5)
  return randomInt(INLINE_BYTES_MAX, 6 * 1024 * 1024)
}

function newPath(worker: Worker): string {
  worker.counter++
  return `${worker.name}/${worker.counter % 7}/file ${worker.counter}`
}

function apply(files: Files, after: Unknown['after'], etag: string | undefined): void {
  for (const [path, content] of after) {
    if (content === undefined) files.delete(path)
    else files.set(path, { ...content, etag })
  }
}

/** Finds out for each unknown write whether it happened: wholly or not at all. Returns how many did. */
async function settleUnknown(client: Client, workers: readonly Worker[]): Promise<number> {
  let happened = 0
  for (const worker of workers) {
    const unknown = worker.unknown
    if (unknown === undefined) continue
    const seen = new Map<string, Content | undefined>()
    for (const path of unknown.after.keys()) seen.set(path, await look(client, path))
    const paths = [...unknown.after.keys()]
    const isBefore = paths.every(path => same(seen.get(path), worker.files.get(path)))
    const isAfter = paths.every(path => same(seen.get(path), unknown.after.get(path)))
    assert(isBefore || isAfter, `${unknown.what} happened wholly or not at all: ${JSON.stringify([...seen])}`)
    apply(worker.files, seen, undefined)
    if (isAfter) happened++
    worker.unknown = undefined
  }
  return happened
}

/** Compares every file, and the list, with the model. Returns how many files there are. */
async function compareFiles(client: Client, workers: readonly Worker[]): Promise<number> {
  const expected = new Map(workers.flatMap(worker => [...worker.files]))
  const listed = await client.list()
  assert.deepEqual(
    listed.map(file => `${file.path} (${file.size})`),
    [...expected].map(([path, content]) => `${path} (${content.size})`).sort(),
    'the list shows exactly the answered files',
  )
  for (const { path, etag } of listed) {
    const content = expected.get(path) as Content
    const seen = await look(client, path)
    assert(same(seen, content), `${path} is as answered: ${JSON.stringify({ seen, content })}`)
    assert.equal(etag, seen?.etag, `the list and the file agree on the ETag of ${path}`)
    if (content.etag !== undefined) assert.equal(etag, content.etag, `${path} has the answered ETag`)
  }
  return listed.length
}

async function look(client: Client, path: string): Promise<Content | undefined> {
  const digest = await client.digest(path)
  if (digest.status === 404) return undefined
  assert.equal(digest.status, 200, `get ${path}`)
  return digest
}

function same(a: Content | undefined, b: Content | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.sha256 === b.sha256 && a.size === b.size
}

/** No staging is left, and there is one blob file for each large body; a copy shares it. Returns how many. */
async function compareDisk(dataDirectory: string, workers: readonly Worker[]): Promise<number> {
  const files = workers.flatMap(worker => [...worker.files.values()])
  const large = new Set(files.filter(({ size }) => size > INLINE_BYTES_MAX).map(({ sha256 }) => sha256))
  let staged: string[] = []
  let blobs: string[] = []
  // What a crash left over may be cleared away just after the start, beside the first requests.
  await waitFor(
    async () => {
      staged = await filesUnder(join(dataDirectory, 'staging'))
      blobs = await filesUnder(join(dataDirectory, 'blobs'))
      return staged.length === 0 && blobs.length === large.size
    },
    { what: `staging is empty and there are ${large.size} blob files`, pauseMs: 50 },
  ).catch(error => {
    throw new Error(`${error.message}; found ${staged.length} staged and ${blobs.length} blob files`)
  })
  return blobs.length
}

async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter(entry => entry.isFile()).map(entry => entry.name)
}
