import t from 'tap'
import { Recoveries } from '../../src/operations/recoveries.ts'
import type { NodeId } from '../../src/ring/identifier.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { manualEnv } from '../manual-env.ts'
import { wholeView } from '../replication/chain/bench.ts'
import { record } from '../routing/any.ts'

t.test('a recovery is kept for good, gives up older views, and is news once', async t => {
  const env = manualEnv()
  const store = new MemoryStorage({ env }).replica
  const learned: MapRecord[] = []
  const events: object[] = []
  const members = {
    map: { record: (node: NodeId) => (node === record('b').nodeId ? record('b') : undefined) },
    learn: (records: MapRecord[]) => learned.push(...records),
  }
  const driver = { tellMyself: (message: object) => events.push(message) }
  const recoveries = new Recoveries({ env, store, members: members as never, driver: driver as never })
  const lost = [record('b').nodeId, 'nobody' as NodeId]
  const first = { view: wholeView(['a'], ['a'], 'forced', 1_000_001), lost, atMs: 7 }
  await recoveries.note(first, 'now')
  t.match(learned, [{ nodeId: record('b').nodeId, status: 'dead' }])
  t.match(events, [{ kind: 'teach', views: [first.view] }])
  await recoveries.note(first, 'now')
  t.equal(learned.length, 1, 'who said since that it lives is not declared dead again')
  const earlier = { view: wholeView(['a'], ['a'], 'forced before', 5), lost, atMs: 3 }
  await recoveries.note(earlier, 'long ago')
  t.equal(learned.length, 1)
  t.same(new Recoveries({ env, store, members: members as never, driver: driver as never }).all(), [
    earlier,
    first,
  ])
})
