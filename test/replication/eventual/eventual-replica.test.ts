import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import type { Actor } from '../../../src/replication/eventual/dot.ts'
import { stateOf } from '../../../src/replication/eventual/eventual-record.ts'
import { EventualReplica, MEMORY_MS } from '../../../src/replication/eventual/eventual-replica.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { PATH, Writer } from './records.ts'

function replica(nowMs?: () => number): EventualReplica {
  const real = realEnv()
  const env = nowMs ? { ...real, clock: { ...real.clock, monotonicMs: nowMs } } : real
  const self = 'x' as NodeId
  const responsibility = {
    self,
    replicasOf: () => [self],
    ownRanges: () => [],
    isAlive: () => true,
    isGone: () => false,
    copiesWanted: () => 1,
  }
  const { replica: store } = new MemoryStorage({ env })
  return new EventualReplica(
    { env, store, responsibility, changed: () => undefined },
    { actor: 'x/1' as Actor },
  )
}

t.test('what was sent before a tombstone was forgotten does not come in after that', async t => {
  const here = replica()
  const a = new Writer('a/1')
  a.put(10_000)
  const late = { records: [a.record], memory: here.memory }
  a.remove(20_000)
  await here.confirm({ records: [a.record] })
  const held = here.fetch(PATH)
  t.ok(held)
  await here.collected({ collected: [[PATH, stateOf(held ?? a.record)]] })
  t.equal(here.fetch(PATH), undefined)
  t.same((await here.take(late)).stale, [PATH])
  t.equal(here.fetch(PATH), undefined)
  t.same((await here.take({ ...late, memory: here.memory })).stale, [])
})

t.test('what was sent long ago does not come in', async t => {
  let nowMs = 0
  const here = replica(() => nowMs)
  const a = new Writer('a/1')
  a.put(10_000)
  const { memory } = here
  nowMs = 2 * MEMORY_MS
  t.same((await here.take({ records: [a.record], memory })).stale, [PATH])
  t.equal(here.fetch(PATH), undefined)
  nowMs = 2 * MEMORY_MS - 1
  t.same((await here.take({ records: [a.record], memory })).stale, [])
  t.equal(here.fetch(PATH)?.siblings.length, 1)
})

t.test(
  'a stamp that is far ahead is bounded where it says what is shown, and kept where it says what is remembered',
  async t => {
    const here = replica()
    const a = new Writer('a/1')
    const ahead = (Date.now() + 6 * 3_600_000) * 1_000
    a.put(ahead)
    await here.take({ records: [a.record], memory: here.memory })
    const { siblings, outcomes } = here.fetch(PATH) ?? a.record
    t.ok((siblings[0]?.stamp ?? ahead) < ahead)
    t.equal(outcomes[0]?.stamp, ahead)
  },
)

t.test(
  'what another node sends stands beside what is here, and takes the place of what it has seen alone',
  async t => {
    const here = replica()
    const [a, b] = [new Writer('a/1'), new Writer('b/1')]
    a.put(10_000)
    b.put(20_000)
    for (const { record } of [a, b]) await here.take({ records: [record], memory: here.memory })
    t.equal(here.fetch(PATH)?.siblings.length, 2)
    a.remove(30_000)
    await here.take({ records: [a.record], memory: here.memory })
    t.same(
      here.fetch(PATH)?.siblings.map(({ dot }) => dot.actor),
      ['b/1'],
    )
  },
)

t.test('who is going to keep a record is a holder of it, and then it is not given up unsaid', async t => {
  const here = replica()
  const a = new Writer('a/1')
  a.put(10_000)
  await here.take({ records: [a.record], memory: here.memory })
  const before = here.fetch(PATH) ?? a.record
  await here.admit(PATH, ['y' as NodeId])
  const after = here.fetch(PATH) ?? a.record
  t.same(after.holders, [...before.holders, 'y'])
  t.same(stateOf(after), stateOf(before), 'nobody compares it anew for that')
  t.equal(await here.giveUp(PATH, stateOf(before), before.holders.length), false)
  t.ok(here.fetch(PATH), 'nobody else knows of y yet')
  t.equal(await here.giveUp(PATH, stateOf(after), after.holders.length), true)
  await here.admit(PATH, ['z' as NodeId])
  t.equal(here.fetch(PATH), undefined, 'nothing of it comes to be here by that')
})
