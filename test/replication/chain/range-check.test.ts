import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { StoreError } from '../../../src/errors.ts'
import type { ChainRecord } from '../../../src/replication/chain/chain-record.ts'
import type { NetworkView } from '../../../src/replication/chain/network-view.ts'
import { type CheckWord, RangeCheck } from '../../../src/replication/chain/range-check.ts'
import { chainRecordOf } from '../../../src/replication/chain/record-notes.ts'
import type { Identifier, NodeId } from '../../../src/ring/identifier.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { FileRecord } from '../../../src/storage/record.ts'
import type { InspectedRecord } from '../../../src/storage/replica-store.ts'
import { foundedRing } from '../../ring-node/founded-ring.ts'

const ZERO = '0'.repeat(40) as Identifier
const RING = { lo: ZERO, hi: ZERO }
const env = realEnv()

/** A node that keeps some files, with faults that a test puts between it and its disk. */
async function node(paths: readonly string[]) {
  const storage = new MemoryStorage({ env })
  const ring = foundedRing(env, storage)
  for (const path of paths) {
    const bytes = path.startsWith('large') ? Buffer.alloc(100_000, path) : Buffer.from(path)
    const body = await ring.replication.stage(Readable.from([bytes]), { sizeMax: 1e6 })
    const change = { kind: 'put', path: parsePathName(path), condition: 'none', body } as const
    await ring.replication.commit({ ...change, meta: { mediaType: 'a/b' } })
  }
  const bad = new Set<string>()
  const undecodable = new Set<string>()
  const restored: string[] = []
  const others: { record?: (path: string) => ChainRecord | undefined; body: boolean } = { body: true }
  const replica = new Proxy(storage.replica, {
    get(target, name) {
      if (name === 'inspect') {
        return function* (lo: Identifier, hi: Identifier): Iterable<InspectedRecord> {
          for (const one of target.inspect(lo, hi)) {
            const [listed] = storage.list(one.path)
            yield undecodable.has(one.path) ? { path: one.path, kept: undefined, listed } : one
          }
        }
      }
      if (name === 'apply') {
        return async (batch: Parameters<typeof target.apply>[0]) => {
          for (const { path } of batch.records) undecodable.delete(path)
          await target.apply(batch)
        }
      }
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const check = new RangeCheck({
    env,
    driver: new Proxy(ring.driver, {
      get(target, name) {
        if (name === 'dispatch') {
          return (event: Parameters<typeof target.dispatch>[0]) => {
            if (event.kind === 'mend') bad.delete(event.record.path)
            target.dispatch(event)
          }
        }
        if (name === 'known') {
          // Another node is known to keep everything, too.
          const more = { covering: () => view(target), newest: () => [view(target)] }
          return Object.assign(Object.create(target.known), more)
        }
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    }),
    storage: {
      replica,
      read: async (record: FileRecord) => {
        if (bad.has(record.path)) throw new StoreError('CORRUPT', 'A block is bad.', { path: record.path })
        return storage.read(record)
      },
    },
    carrier: {
      restore: async path => {
        if (!others.body) throw new StoreError('UNAVAILABLE', 'Nobody has it.')
        restored.push(path)
        bad.delete(path)
      },
    },
    askRecord: async (_node, path) => others.record?.(path),
  })
  const words = async (heal = true) => {
    const list: CheckWord[] = []
    for await (const word of check.check(RING, { heal })) if (word.kind !== 'progress') list.push(word)
    return list
  }
  const kept = (path: string) => {
    const record = storage.replica.record(parsePathName(path))
    if (record === undefined) throw new Error('It was put.')
    return chainRecordOf(record)
  }
  /** Turns one bit of what is on the disk. */
  const damageNotes = (path: string) => {
    const notes = storage.replica.record(parsePathName(path))?.notes
    if (notes === undefined) throw new Error('It was put.')
    notes[9] = (notes[9] as number) ^ 1
  }
  t.teardown(() => ring.close())
  return { ring, words, bad, undecodable, restored, others, kept, check, damageNotes }
}

function view({ known }: { known: NetworkView }) {
  const [state] = known.held()
  return { ...state?.view, ...RING, replicas: [known.self, 'other' as NodeId] }
}

t.test('everything that is kept is read', async t => {
  const { words } = await node(['a', 'b', 'large'])
  t.match(await words(), [{ kind: 'end', files: 3, bytes: 100_002 }])
})

t.test('bad copies are replaced by good ones, and looked at again', async t => {
  const { words, bad, restored, others, kept } = await node(['a', 'b', 'large'])
  others.record = path => kept(path)
  bad.add('a').add('large')
  t.match(await words(false), [{ healed: false }, { healed: false }, { kind: 'end' }], 'only looked at')
  const found = (await words()).filter(word => word.kind === 'copy')
  t.same(found.map(({ path, healed }) => [path, healed]).sort(), [
    ['a', true],
    ['large', true],
  ])
  t.same(restored, ['large'])
  t.equal((await words()).length, 1)
})

t.test('a record that fails its checksum is replaced by the same version of another node', async t => {
  const { words, undecodable, others, kept } = await node(['a'])
  undecodable.add('a')
  t.match(await words(), [{ path: 'a', code: 'CORRUPT', healed: false }, { kind: 'end' }], 'nobody has it')
  const good = kept('a')
  others.record = () => ({
    ...good,
    written: good.written && { ...good.written, version: { epoch: 1, seq: 99 } },
  })
  t.match(await words(), [{ healed: false }, { kind: 'end' }], 'another version is another file')
  others.record = () => good
  t.match(await words(), [{ path: 'a', healed: true }, { kind: 'end' }])
  t.equal((await words()).length, 1)
})

t.test(
  'notes that fail their checksum are named: those of a file are replaced, those of a tombstone are not believed',
  async t => {
    const { words, others, kept, ring, damageNotes } = await node(['a', 'gone'])
    await ring.replication.commit({ kind: 'remove', path: parsePathName('gone'), condition: 'none' })
    const good = kept('a')
    others.record = () => good
    damageNotes('a')
    t.match(await words(false), [{ path: 'a', code: 'CORRUPT', healed: false }, { kind: 'end' }])
    t.match(await words(), [{ path: 'a', code: 'CORRUPT', healed: true }, { kind: 'end' }])
    t.same(kept('a'), good)
    damageNotes('gone')
    t.match(await words(), [{ path: 'gone', code: 'CORRUPT', healed: false }, { kind: 'end' }])
    t.throws(() => kept('gone'), { code: 'CORRUPT', path: 'gone' })
  },
)

t.test('what nobody has a good copy of is told', async t => {
  const { words, bad, others } = await node(['a', 'large'])
  bad.add('a').add('large')
  others.body = false
  const found = (await words()).filter(word => word.kind === 'copy')
  t.same(
    found.map(({ healed, code }) => [healed, code]),
    [
      [false, 'CORRUPT'],
      [false, 'CORRUPT'],
    ],
  )
})

t.test('a newer record of another node is taken', async t => {
  const { check, others, kept, ring } = await node(['a'])
  const own = kept('a')
  const inline = Buffer.from('new')
  const sha256 = createHash('sha256').update(inline).digest('hex')
  const body = { size: 3, sha256, blockChecksums: [1], content: { inline } }
  others.record = () => ({ ...own, version: { ...own.version, seq: 99 }, body })
  await check.mendFrom('other' as NodeId, parsePathName('a'))
  t.equal(kept('a').version.seq, 99)
  t.notOk(ring.driver.isChanging(parsePathName('a')))
  others.record = () => undefined
  await t.rejects(check.mendFrom('other' as NodeId, parsePathName('a')), { code: 'FILE_NOT_FOUND' })
})
