import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { StoreError } from '../../../src/errors.ts'
import type { BodyCarrier } from '../../../src/replication/chain/body-carrier.ts'
import { ChainReplication } from '../../../src/replication/chain/chain-replication.ts'
import type { ChainDriver } from '../../../src/replication/chain/driver.ts'
import { LostRanges } from '../../../src/replication/chain/lost-ranges.ts'
import type { Machine } from '../../../src/replication/chain/machine-parts.ts'
import { keptHereOf, networkViewOf } from '../../../src/replication/chain/network-view.ts'
import type { ChangeOptions } from '../../../src/replication/replication.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { BLOCK_BYTES, type BlobId, type FileRecord } from '../../../src/storage/record.ts'
import type { ByteRange, Storage } from '../../../src/storage/storage.ts'
import type { NodeId } from '../../../src/views/view.ts'
import { foundedRing } from '../../ring-node/founded-ring.ts'
import { bodyOf, chunksOf } from '../../storage/conformance.ts'
import { path } from './bench.ts'

const env = realEnv()
const meta = { mediaType: 'text/x' }
const key = (name: string, fingerprint = 'f') => ({ idempotency: { key: name, fingerprint } })

/** Storage whose large bodies are bad from a block on. */
class Rotten extends MemoryStorage {
  badFrom = Number.POSITIVE_INFINITY

  override async read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable> {
    const bytes = await super.read(record, range)
    if (bytes instanceof Uint8Array) return bytes
    const bad = new StoreError('CORRUPT', 'bad')
    if (this.badFrom === 0) throw bad
    const { badFrom } = this
    async function* cut() {
      let blocks = 0
      for await (const chunk of bytes as Readable) {
        if (blocks++ === badFrom) throw bad
        yield chunk
      }
    }
    return Readable.from(cut(), { objectMode: false })
  }
}

const lostOf = (driver: ChainDriver) => new LostRanges({ env, driver, addressOf: () => undefined })

async function alone() {
  const storage = new Rotten({ env })
  const ring = foundedRing(env, storage)
  const { replication } = ring
  await new Promise(resolve => setImmediate(resolve))
  const put = async (name: string, bytes: Uint8Array, options = {}) => {
    const body = await replication.stage(chunksOf(bytes), { sizeMax: 1e8 })
    return replication.commit({ kind: 'put', path: path(name), condition: 'none', body, meta }, options)
  }
  const found = async (name: string) => (await replication.find(path(name))).record
  return { storage, ring, replication, put, found }
}

t.test(
  'a bad body with no other holder is CORRUPT at once, stays, and is whole again when the disk is',
  async t => {
    const { storage, ring, replication, put, found } = await alone()
    t.teardown(() => ring.close())
    const bytes = bodyOf(3 * BLOCK_BYTES)
    await put('f', bytes)
    const record = (await found('f')) as FileRecord
    storage.badFrom = 0
    await t.rejects(replication.read(record), { code: 'CORRUPT' })
    storage.badFrom = 1
    const cut = (await replication.read(record)) as Readable
    await t.rejects(buffer(cut), { code: 'CORRUPT' }, 'never an end that looks complete')
    storage.badFrom = Number.POSITIVE_INFINITY
    t.ok((await buffer((await replication.read(record)) as Readable)).equals(bytes))
    t.match(await found('f'), { path: 'f' }, 'a moment of bad luck has not made the file unreadable')
  },
)

t.test('a put whose bytes went before it was stored is sent again, and no missing file is named', async t => {
  const { ring, replication, found } = await alone()
  t.teardown(() => ring.close())
  const body = await replication.stage(chunksOf(bodyOf(3 * BLOCK_BYTES)), { sizeMax: 1e8 })
  await replication.discard(body)
  const put = { kind: 'put', path: path('f'), condition: 'none', body, meta } as const
  await t.rejects(replication.commit(put), { code: 'UNAVAILABLE', message: /send them again/ })
  t.equal(await found('f'), undefined)
})

t.test('a version that was replaced is not found, so that the reader finds it again', async t => {
  const { ring, replication, put, found } = await alone()
  t.teardown(() => ring.close())
  await put('f', bodyOf(200_000, 1))
  const old = (await found('f')) as FileRecord
  await put('f', bodyOf(200_000, 2))
  t.ok(await replication.read(old), 'as long as it is in the trash')
  await replication.forget(path('f'), await replication.trash(path('f')))
  await t.rejects(replication.read(old), { code: /FILE_NOT_FOUND|UNAVAILABLE/ })
})

t.test('what a key did is answered again, whatever has become of the file', async t => {
  const { ring, replication, put } = await alone()
  t.teardown(() => ring.close())
  const first = await put('f', bodyOf(10), key('k'))
  t.equal(first.replaced, false)
  await put('f', bodyOf(20))
  t.same(await put('f', bodyOf(10), key('k')), first)
  await replication.commit({ kind: 'remove', path: path('f'), condition: 'none' }, key('r'))
  const refuse = (name: string, options: ChangeOptions) =>
    replication.commit({ kind: 'refuse', path: path(name), condition: 'none' }, options)
  t.same(await refuse('f', key('k')), first, 'also when it can not be made any more')
  t.match(await refuse('f', key('r')), { record: undefined, replaced: true })
  for (const again of [refuse('f', key('k', 'other')), put('f', bodyOf(10), key('k', 'other'))])
    await t.rejects(again, { code: 'IDEMPOTENCY_KEY_REUSED' })
})

t.test('a change that has been made, of which nobody can say what it did, is not known', async t => {
  const { ring, replication, put } = await alone()
  t.teardown(() => ring.close())
  await put('f', bodyOf(10), key('k'))
  const { driver } = ring
  const request = driver.request.bind(driver)
  driver.request = asked => (asked.kind === 'get' ? Promise.resolve({ kind: 'unavailable' }) : request(asked))
  const refused = replication.commit({ kind: 'refuse', path: path('f'), condition: 'none' }, key('k'))
  await t.rejects(refused, { code: 'INDETERMINATE' })
})

t.test('a change that was refused under its key, for there was nothing to put, is never made', async t => {
  const { ring, replication, put, found } = await alone()
  t.teardown(() => ring.close())
  await put('f', bodyOf(10))
  const refused = replication.commit({ kind: 'refuse', path: path('f'), condition: 'none' }, key('k'))
  await t.rejects(refused, { code: 'FILE_NOT_FOUND' })
  const keyless = replication.commit({ kind: 'refuse', path: path('f'), condition: 'none' })
  await t.rejects(keyless, { code: 'FILE_NOT_FOUND' })
  // The same change, which was under way all the time.
  await t.rejects(put('f', bodyOf(20), key('k')), { code: 'FILE_NOT_FOUND' })
  t.match(await found('f'), { body: { size: 10 } })
})

t.test('a move keeps its key at its destination; the same key never takes a second source away', async t => {
  const { ring, replication, put, found } = await alone()
  t.teardown(() => ring.close())
  const move = (fingerprint?: string) =>
    replication.commit(
      { kind: 'move', from: path('a'), path: path('b'), condition: 'none' },
      key('k', fingerprint),
    )
  await put('a', bodyOf(10))
  const moved = await move()
  t.same(await move(), moved, 'although the source is gone')
  await put('a', bodyOf(20))
  t.same(await move(), moved)
  t.equal((await found('a'))?.body.size, 20, 'another file under the old name stays')
  t.equal((await found('b'))?.body.size, 10)
  await t.rejects(move('other'), { code: 'IDEMPOTENCY_KEY_REUSED' })
})

t.test('the same at once is one', async t => {
  const { ring, replication, put, found } = await alone()
  t.teardown(() => ring.close())
  await put('a', bodyOf(10))
  const change = { kind: 'move', from: path('a'), path: path('b'), condition: 'absent' } as const
  const all = await Promise.all(Array.from({ length: 5 }, () => replication.commit(change, key('k'))))
  t.equal(new Set(all.map(done => JSON.stringify(done))).size, 1)
  t.equal(await found('a'), undefined)
  t.equal((await found('b'))?.body.size, 10)
})

/** What a driver shows of a machine of which only this is asked. */
const portsOf = (machine: object) => ({
  known: networkViewOf(() => machine as Machine),
  kept: keptHereOf(() => machine as Machine),
  positionOf: identifierOfPath,
})

t.test('what a key has done is told when it can be read, and never guessed', async t => {
  const outcomes: object[] = []
  const driver = {
    ...portsOf({ suspects: new Set(), table: { covering: () => ({ replicas: [] }) } }),
    request: async () => outcomes.shift(),
  } as unknown as ChainDriver
  const replication = new ChainReplication(
    {
      ...{ env, driver, storage: {} as Storage, carrier: {} as BodyCarrier },
      ...{
        lookup: async () => [],
        addressOf: () => undefined,
        list: async () => [],
        refused: () => undefined,
        lost: lostOf(driver),
      },
    },
    { self: 'n1' as NodeId },
  )
  const nothing = { kind: 'value', record: { outcomes: [] } }
  const mute = { kind: 'unavailable' }
  const remove = () => replication.commit({ kind: 'remove', path: path('f'), condition: 'none' }, key('k'))
  outcomes.push({ kind: 'failed', reason: 'condition' }, mute)
  await t.rejects(remove(), { code: 'INDETERMINATE' }, 'another try of it may have removed the file')
  outcomes.push({ kind: 'failed', reason: 'condition' }, nothing)
  await t.rejects(remove(), { code: 'FILE_NOT_FOUND' })
  outcomes.push(mute, mute)
  await t.rejects(remove(), { code: 'UNAVAILABLE' })
  outcomes.push({ kind: 'done', version: { epoch: 1, seq: 2 }, replaced: true }, mute)
  t.match(await remove(), { replaced: true })
})

t.test('a replica that falls silent while a large body is on its way to it is not waited for', async t => {
  const [self, other] = ['n1', 'n2'] as NodeId[] as [NodeId, NodeId]
  const suspects = new Set<NodeId>()
  const view = { replicas: [self, other], acceptors: [] }
  const machine = { self, suspects, members: new Map(), blobs: new Map(), table: { covering: () => view } }
  const driver = {
    ...portsOf(machine),
    tellMyself: ({ node }: { node: NodeId }) => suspects.add(node),
    request: async () => ({ kind: 'done', version: { epoch: 1, seq: 1 }, replaced: false }),
  } as unknown as ChainDriver
  let held: NodeId[] = [other, 'n3' as NodeId]
  const looks: NodeId[][] = []
  const leaveWays = (_blobId: BlobId, isWanted: (node: NodeId) => boolean) => {
    held = held.filter(isWanted)
    looks.push(held)
  }
  const carrier = {
    fetch: async () => {},
    push: () => new Promise<void>(() => {}),
    isAwaited: async () => true,
    leaveWays,
  } as unknown as BodyCarrier
  const storage = { discard: async () => {} } as unknown as Storage
  const replication = new ChainReplication(
    {
      ...{ env, storage, driver, carrier },
      ...{
        lookup: async () => [],
        addressOf: () => undefined,
        list: async () => [],
        refused: () => undefined,
        lost: lostOf(driver),
      },
    },
    { self },
  )
  const content = { blobId: 'b' as BlobId }
  const body = { size: 100_000, sha256: 's', blockChecksums: [0], content, stageId: 'staged' }
  const done = await replication.commit({ kind: 'put', path: path('f'), condition: 'absent', body, meta })
  t.match(done, { replaced: false })
  t.same([...suspects], [other], 'it was asked whether it is there')
  t.same(looks[0], [other], 'a node that has no part in the range holds up nobody from the beginning')
  t.same(looks.at(-1), [], 'nor does one that is dead')
})
