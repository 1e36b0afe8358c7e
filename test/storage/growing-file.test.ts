import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { realEnv } from '../../src/env.ts'
import { LmdbStorage } from '../../src/storage/lmdb-storage.ts'
import { BLOCK_BYTES } from '../../src/storage/record.ts'
import type { GrowingBody } from '../../src/storage/storage.ts'
import { bodyOf, chunksOf, sha256Of } from './conformance.ts'

const PIECES = 8
const pieceBytes = 600_000
const bytes = bodyOf(PIECES * pieceBytes)
const never = new AbortController().signal

/** A body that comes in piece by piece, as a test lets it. */
async function growing(t: Test) {
  const storage = await LmdbStorage.open({ env: realEnv() }, { directory: t.testdir() })
  t.teardown(() => storage.close())
  const gates = Array.from({ length: PIECES + 1 }, () => {
    let open = (_fault?: Error) => {}
    const passed = new Promise<void>((resolve, reject) => {
      open = fault => (fault ? reject(fault) : resolve())
    })
    passed.catch(() => undefined)
    return { open, passed }
  })
  async function* body() {
    for (let piece = 0; piece < PIECES; piece++) {
      await gates[piece]?.passed
      yield bytes.subarray(piece * pieceBytes, (piece + 1) * pieceBytes)
    }
    await gates[PIECES]?.passed
  }
  let told = (_body: GrowingBody) => {}
  const grown = new Promise<GrowingBody>(resolve => {
    told = resolve
  })
  const staged = storage.stage(body(), { sizeMax: bytes.length, onGrowing: told })
  staged.catch(() => undefined)
  return { storage, staged, grown, gates }
}

t.test('its followers have the bytes before the last one has come, each at a pace of its own', async t => {
  const { staged, grown, gates } = await growing(t)
  for (const { open } of gates.slice(0, 3)) open()
  const body = await grown
  const early = body.follow(never)[Symbol.asyncIterator]()
  const first = (await early.next()).value as Uint8Array
  t.ok(first.length > 0 && Buffer.from(first).equals(bytes.subarray(0, first.length)))
  for (const { open } of gates) open()
  const { sha256, content } = await staged
  t.equal(await body.sha256, sha256)
  t.same(content, { blobId: body.blobId })
  const rest = await buffer({ [Symbol.asyncIterator]: () => early })
  t.ok(Buffer.concat([first, rest]).equals(bytes))
  t.equal(sha256Of(await buffer(body.follow(never))), sha256, 'one that begins late')
})

t.test('when the body breaks off, so do its followers', async t => {
  const { staged, grown, gates } = await growing(t)
  for (const { open } of gates.slice(0, 4)) open()
  const body = await grown
  const following = buffer(body.follow(never))
  following.catch(() => undefined)
  gates[4]?.open(new Error('cut off'))
  await t.rejects(staged, { message: 'cut off' })
  await t.rejects(following, { message: 'cut off' })
  await t.rejects(body.sha256, { message: 'cut off' })
  await t.rejects(buffer(body.follow(never)), 'nothing is left of it')
})

t.test('a follower that is told to stop does not wait for the next byte', async t => {
  const { staged, grown, gates } = await growing(t)
  for (const { open } of gates.slice(0, 3)) open()
  const stop = new AbortController()
  const following = buffer((await grown).follow(stop.signal))
  await new Promise(resolve => setImmediate(resolve))
  stop.abort(new Error('enough'))
  await t.rejects(following, { message: 'enough' })
  for (const { open } of gates) open()
  await staged
})

t.test('a body of one block has no followers', async t => {
  const storage = await LmdbStorage.open({ env: realEnv() }, { directory: t.testdir() })
  t.teardown(() => storage.close())
  const onGrowing = () => t.fail('told of a small body')
  const staged = await storage.stage(chunksOf(bytes.subarray(0, BLOCK_BYTES)), {
    sizeMax: BLOCK_BYTES,
    onGrowing,
  })
  t.ok('blobId' in staged.content)
})
