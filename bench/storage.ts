/**
 * `npx tsx bench/storage.ts [--files 1000000]`: what storage alone can do, without HTTP, so that a figure of the whole
 * node can be split into its parts. Prints one line for each figure. It needs about 4 GB of disk.
 */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { realEnv } from '../src/env.ts'
import { parsePathName } from '../src/ring/path-name.ts'
import { LmdbStorage } from '../src/storage/lmdb-storage.ts'
import { putStaged } from '../test/storage/conformance.ts'

const { values } = parseArgs({ options: { files: { type: 'string', default: '1000000' } } })
const files = Number(values.files)
const directory = await mkdtemp(join(tmpdir(), 'altered-chord-bench-storage-'))
const sizeMax = Number.MAX_SAFE_INTEGER

try {
  await small(join(directory, 'small'))
  await large(join(directory, 'large'))
  await many(join(directory, 'many'))
} finally {
  await rm(directory, { recursive: true, force: true })
}

async function open(data: string): Promise<LmdbStorage> {
  return LmdbStorage.open({ env: realEnv() }, { directory: data })
}

async function put(storage: LmdbStorage, name: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await putStaged(storage, name, await storage.stage(bytes, { sizeMax }))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Puts `count` files with many writers at once; ms. */
async function putMany(storage: LmdbStorage, count: number, writers: number, bytes: Buffer, name: string) {
  let next = 0
  return timed(async () => {
    const writer = async () => {
      for (let i = next++; i < count; i = next++) await put(storage, `${name}/${i % 1000}/${i}`, once(bytes))
    }
    await Promise.all(Array.from({ length: writers }, writer))
  })
}

async function small(data: string): Promise<void> {
  const storage = await open(data)
  for (const writers of [1, 64, 512]) {
    const count = writers === 1 ? 2000 : 50_000
    const before = process.cpuUsage()
    const ms = await putMany(storage, count, writers, Buffer.alloc(4096, 1), `w${writers}`)
    const { user, system } = process.cpuUsage(before)
    const cpu = `${((user + system) / count).toFixed(0)} us of processor each`
    print(`durable puts of 4 KiB, ${writers} writers`, `${rate(count, ms)} /s, ${cpu}`)
  }
  const count = 50_000
  await putMany(storage, count, 512, Buffer.alloc(1024, 2), 'read')
  for (const [name, distinct] of [
    ['the same 1,000', 1000],
    ['50,000 different', count],
  ] as const) {
    const ms = await timed(async () => {
      for (let n = 0; n < 200_000; n += 1) {
        const i = (n * 7919) % distinct
        const record = await storage.find(parsePathName(`read/${i % 1000}/${i}`))
        if (record) await storage.read(record)
      }
    })
    print(`find and read of 1 KiB, ${name}`, `${rate(200_000, ms)} /s`)
  }
  await storage.close()
}

async function large(data: string): Promise<void> {
  const storage = await open(data)
  const chunk = Buffer.alloc(64 * 1024, 3)
  const before = await anonymousMiB()
  let most = 0
  for (let round = 0; round < 3; round += 1) {
    const body = async function* () {
      for (let i = 0; i < 16_384; i += 1) yield chunk
    }
    const inMs = await timed(() => put(storage, 'large', body()))
    most = Math.max(most, await anonymousMiB())
    const record = await storage.find(parsePathName('large'))
    const read = record && (await storage.read(record))
    if (!(read instanceof Readable)) throw new TypeError('1 GiB is no inline body')
    const outMs = await timed(() =>
      pipeline(read, new Writable({ write: (_chunk, _encoding, done) => done() })),
    )
    most = Math.max(most, await anonymousMiB())
    print('1 GiB in, durable; and out', `${rate(1073.7, inMs)} MB/s; ${rate(1073.7, outMs)} MB/s`)
  }
  print('anonymous memory during that', `${before} MiB before, ${most} MiB at the most`)
  await storage.close()
}

async function many(data: string): Promise<void> {
  const first = await open(data)
  const heapBefore = process.memoryUsage().heapUsed
  const ms = await putMany(first, files, 512, Buffer.alloc(100, 4), 'many')
  print(`puts of 100 bytes, up to ${files} files`, `${rate(files, ms)} /s`)
  await first.close()
  const start = performance.now()
  const storage = await open(data)
  print(`open with ${files} files`, `${(performance.now() - start).toFixed(0)} ms`)
  const page = await timed(async () => {
    let left = 1000
    for (const _ of storage.list('')) if (--left === 0) break
  })
  print('first page of the list, 1,000 lines', `${page.toFixed(1)} ms`)
  let lines = 0
  const all = await timed(async () => {
    for (const _ of storage.list('')) lines += 1
  })
  print(`the whole list, ${lines} lines`, `${all.toFixed(0)} ms, ${rate(lines, all)} lines/s`)
  print('disk for each file of 100 bytes', `${((await bytesOf(data)) / files).toFixed(0)} bytes`)
  const heap = (process.memoryUsage().heapUsed - heapBefore) / files
  print('heap for each stored file', `${Math.max(0, heap).toFixed(1)} bytes`)
  await storage.close()
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}

function rate(count: number, ms: number): string {
  return Math.round((count / ms) * 1000).toLocaleString('en')
}

function print(name: string, figure: string): void {
  console.log(`${name}: ${figure}`)
}

async function anonymousMiB(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  return Math.round(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}

async function bytesOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  let bytes = 0
  for (const entry of entries) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512
  }
  return bytes
}
