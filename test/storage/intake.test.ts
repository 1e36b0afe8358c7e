import t from 'tap'
import { BufferPool } from '../../src/storage/buffer-pool.ts'
import { PIECE_BYTES, receive } from '../../src/storage/intake.ts'
import { INLINE_BYTES_MAX } from '../../src/storage/record.ts'
import { bodyOf, chunksOf, sha256Of } from './conformance.ts'

const sizeMax = 1e9
const pool = () => new BufferPool({ bufferBytes: PIECE_BYTES, freeMax: 8 })
const noSink = async (): Promise<never> => {
  throw new Error('a small body needs no sink')
}

t.test('a small body is gathered, and a producer may use its buffer again', async t => {
  const reused = Buffer.alloc(10)
  async function* body() {
    yield reused.fill('a')
    yield new Uint8Array()
    yield Buffer.from('b')
    reused.fill('x')
  }
  const { inline, size } = await receive(body(), { sizeMax }, pool(), noSink)
  t.equal(size, 11)
  t.equal(inline?.toString().at(-1), 'b')
  const most = await receive(chunksOf(bodyOf(INLINE_BYTES_MAX)), { sizeMax }, pool(), noSink)
  t.equal(most.inline?.length, INLINE_BYTES_MAX)
})

t.test('a large body goes to the sink in even pieces, one at a time, and takes two buffers', async t => {
  const bytes = bodyOf(5 * PIECE_BYTES + 17)
  const pieces: Buffer[] = []
  let writing = 0
  const sink = {
    async write(piece: Uint8Array) {
      writing += 1
      t.equal(writing, 1)
      await new Promise(resolve => setImmediate(resolve))
      pieces.push(Buffer.from(piece))
      writing -= 1
    },
  }
  const buffers = new Set<Buffer>()
  class CountingPool extends BufferPool {
    override take(): Buffer {
      const buffer = super.take()
      buffers.add(buffer)
      return buffer
    }
  }
  const counting = new CountingPool({ bufferBytes: PIECE_BYTES, freeMax: 8 })
  for (let i = 0; i < 3; i += 1) {
    pieces.length = 0
    const { inline, sha256 } = await receive(chunksOf(bytes, 10_007), { sizeMax }, counting, async () => sink)
    t.equal(inline, undefined)
    t.equal(sha256, sha256Of(bytes))
    t.same(
      pieces.map(piece => piece.length),
      [...Array(5).fill(PIECE_BYTES), 17],
    )
    t.ok(Buffer.concat(pieces).equals(bytes))
  }
  t.equal(buffers.size, 2)
})

t.test('back-pressure: a body is not read faster than the sink takes it', async t => {
  let read = 0
  async function* body() {
    for (;;) {
      read += 1
      yield Buffer.alloc(PIECE_BYTES)
    }
  }
  let writes = 0
  const stuck = {
    write() {
      writes += 1
      return new Promise<void>(() => undefined)
    },
  }
  const controller = new AbortController()
  receive(body(), { sizeMax, signal: controller.signal }, pool(), async () => stuck).catch(() => undefined)
  for (let i = 0; i < 50; i += 1) await new Promise(resolve => setImmediate(resolve))
  t.equal(writes, 1)
  t.ok(read <= 3, `${read} pieces were read`)
})

t.test('an error of the sink ends it and tells the body', async t => {
  let told = false
  async function* body() {
    try {
      for (;;) yield Buffer.alloc(PIECE_BYTES)
    } finally {
      told = true
    }
  }
  const failing = { write: () => Promise.reject(new Error('disk on fire')) }
  await t.rejects(
    receive(body(), { sizeMax }, pool(), async () => failing),
    { message: 'disk on fire' },
  )
  await new Promise(resolve => setImmediate(resolve))
  t.ok(told)
})

t.test('a body for which the pool has no pieces is handed on as it comes, until it has some', async t => {
  const bytes = bodyOf(4 * PIECE_BYTES + 17)
  const lean = new BufferPool({ bufferBytes: PIECE_BYTES, freeMax: 8, takenMax: 2 })
  const others = lean.tryTake(2)
  async function* body() {
    for (let at = 0; at < bytes.length; at += 10_000) {
      if (at > 2 * PIECE_BYTES) for (const piece of others.splice(0)) lean.give(piece)
      yield bytes.subarray(at, at + 10_000)
    }
  }
  const pieces: Buffer[] = []
  const sink = {
    async write(piece: Uint8Array) {
      await new Promise(resolve => setImmediate(resolve))
      pieces.push(Buffer.from(piece))
    },
  }
  const { sha256, size } = await receive(body(), { sizeMax }, lean, async () => sink)
  t.equal(size, bytes.length)
  t.equal(sha256, sha256Of(bytes))
  t.ok(Buffer.concat(pieces).equals(bytes))
  t.ok(pieces.slice(0, 20).every(piece => piece.length === 10_000))
  t.ok(pieces.some(piece => piece.length === PIECE_BYTES))
  t.equal(lean.tryTake(2).length, 2, 'both pieces came back')
})
