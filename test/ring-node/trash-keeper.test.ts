import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import type { NodeId } from '../../src/ring/identifier.ts'
import type { PathName } from '../../src/ring/path-name.ts'
import { TRASH_PREFIX, trashPathOf } from '../../src/ring/trash-path.ts'
import { TrashKeeper } from '../../src/ring-node/trash-keeper.ts'
import type { ETag } from '../../src/storage/record.ts'
import type { GiveWay, ListEntry } from '../../src/storage/storage.ts'
import { type TrashName, trashFactsOf, trashNameOf } from '../../src/storage/trash-name.ts'
import type { View } from '../../src/views/view.ts'

const DAY = 86_400_000
const MiB = 1024 * 1024

/** A node with this in its trash: path, age and size. */
function keeperOf(
  t: { teardown(then: () => void): void },
  trashed: readonly (readonly [path: string, ageMs: number, bytes: number])[],
  { share = 0.5, bytes = 1000 * MiB, refuses = '', head = 'self' } = {},
) {
  const nowMs = 1_000 * DAY
  const env = { ...realEnv(), clock: { nowMs: () => nowMs, monotonicMs: () => 0 } }
  const lines = new Map<string, ListEntry>()
  for (const [index, [path, ageMs, size]] of trashed.entries()) {
    const version = { epoch: 1, seq: index }
    const name = trashNameOf({ version, by: version, atMs: nowMs - ageMs, rangeMs: 0, wasRemoved: true })
    const at = trashPathOf(path as PathName, name)
    lines.set(at, { path: at, size, etag: '' as ETag, mediaType: '', writtenAtMs: 0 })
  }
  const asked: string[] = []
  let giveWay: GiveWay | undefined
  const sum = () => [...lines.values()].reduce((all, { size }) => all + size, 0)
  const storage = {
    *list(prefix: string) {
      if (prefix === TRASH_PREFIX) yield* [...lines.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
    },
    statistics: () => ({
      ...{ files: 0, bytes: 0, staged: 0, durable: true },
      trash: { versions: lines.size, bytes: sum() },
    }),
    disk: async () => ({ bytes, freeBytes: bytes - sum() }),
    whenFull: (give: GiveWay) => {
      giveWay = give
    },
  }
  const replication = {
    async forget(path: PathName, names: readonly TrashName[], agedMs?: number) {
      if (path === refuses) throw new StoreError('UNAVAILABLE', 'nobody there')
      asked.push(`${path} ${names.length}${agedMs === undefined ? '' : ' aged'}`)
      for (const name of names) lines.delete(trashPathOf(path, name))
    },
  }
  const known = {
    self: 'self' as NodeId,
    covering: () => ({ replicas: [head as NodeId] }) as unknown as View,
  }
  const keeper = new TrashKeeper({ env, storage, replication, known }, { keptMs: 7 * DAY, share })
  t.teardown(() => keeper.close())
  return { keeper, asked, lines, giveWay: () => giveWay }
}

t.test('what is too old by this clock, or of the future, is asked for at its own ranges', async t => {
  const { keeper, asked } = keeperOf(t, [
    ['a', 8 * DAY, 1],
    ['a', 9 * DAY, 1],
    ['b', 6 * DAY, 1],
    ['c', -DAY, 1],
  ])
  await keeper.expire()
  t.same(asked, ['a 2 aged', 'c 1 aged'])
  const far = keeperOf(t, [['far', 8 * DAY, 1]], { head: 'other' })
  await far.keeper.expire()
  t.same(far.asked, [], 'another node is the head')
})

t.test('above its share the oldest go, whoever is their head', async t => {
  const trashed = [
    ['new', 1 * DAY, 200 * MiB],
    ['old', 5 * DAY, 200 * MiB],
    ['older', 6 * DAY, 200 * MiB],
  ] as const
  const { keeper, asked } = keeperOf(t, trashed)
  await keeper.shrink()
  t.same(asked, ['older 1'])
  await keeper.shrink()
  t.same(asked, ['older 1'], 'within its share nothing goes')
})

t.test('a full disk gets room from the oldest large bodies', async t => {
  const { giveWay, asked } = keeperOf(t, [
    ['small', 6 * DAY, 1000],
    ['b', 5 * DAY, 30 * MiB],
    ['a', 4 * DAY, 30 * MiB],
    ['c', 3 * DAY, 30 * MiB],
  ])
  t.equal(await giveWay()?.(1 * MiB), true)
  t.same(asked, ['b 1'], 'a fiftieth of the disk at a time')
  t.equal(await giveWay()?.(40 * MiB), true)
  t.same(asked.sort(), ['a 1', 'b 1', 'c 1'])
  t.equal(await giveWay()?.(1 * MiB), false, 'what lies in the index gives no room')
  const none = keeperOf(t, [['a', DAY, 30 * MiB]], { refuses: 'a' })
  t.equal(await none.giveWay()?.(1), false, 'a head that cannot be asked keeps it')
})

t.test('a name says what it was made of', async t => {
  const facts = {
    version: { epoch: 2 ** 32 - 1, seq: 2 ** 50 },
    by: { epoch: 7, seq: 1 },
    atMs: 1_764_277_200_123,
    rangeMs: 86_400_000,
    wasRemoved: false,
  }
  t.same(trashFactsOf(trashNameOf(facts)), facts)
  t.match(trashFactsOf(trashNameOf({ ...facts, atMs: -5.5 })), { atMs: 0 }, 'a clock before 1970')
})
