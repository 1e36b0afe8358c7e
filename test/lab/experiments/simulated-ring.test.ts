import { Packr } from 'msgpackr'
import t from 'tap'
import { recordBytes } from '../../../src/lab/experiments/message-bytes.ts'
import { SimulatedRing, type SimulatedRingInit } from '../../../src/lab/experiments/simulated-ring.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import type { Address } from '../../../src/ring/identifier.ts'
import { type MapRecord, NODE_STATUSES } from '../../../src/routing/map-record.ts'
import { record } from '../../routing/any.ts'

async function ringOf(
  nodes: number,
  change: Partial<SimulatedRingInit> = {},
  seed = 1,
): Promise<SimulatedRing> {
  const init: SimulatedRingInit = {
    mode: 'path',
    virtualNodes: 1,
    replicas: 3,
    answering: 1,
    wholeMap: true,
    membersMax: 2 * nodes,
    ...change,
  }
  const ring = new SimulatedRing({ random: new SeededRandom(seed) }, init)
  for (let joined = 0; joined < nodes; joined++) await ring.join()
  return ring
}

t.test('one node answers itself, two are one hop apart', async t => {
  const alone = await ringOf(1)
  t.same(await alone.lookup(), { hops: 0, failed: 0, lost: false })
  const two = await ringOf(2)
  for (let lookup = 0; lookup < 20; lookup++) t.ok((await two.lookup()).hops <= 1)
})

t.test('the same seed gives the same run', async t => {
  const run = async () => {
    const ring = await ringOf(40, {}, 7)
    const lookups = []
    for (let lookup = 0; lookup < 50; lookup++) lookups.push(await ring.lookup())
    return { lookups, traffic: ring.traffic, quality: ring.mapQuality(40) }
  }
  t.same(await run(), await run())
})

t.test('after crashes lookups time out at first, then the deaths are known and none is lost', async t => {
  const ring = await ringOf(30)
  for (let lookup = 0; lookup < 300; lookup++) await ring.lookup()
  t.equal(ring.mapQuality(30).stale, 0)
  for (let crash = 0; crash < 5; crash++) ring.crash()
  t.equal(ring.aliveCount, 25)
  t.ok(ring.mapQuality(25).stale > 0.1)
  let failed = 0
  // As many as it takes to meet even a node with a very small range.
  for (let lookup = 0; lookup < 5_000; lookup++) {
    ring.nowMs += 1_000 / 25
    const { failed: now, lost } = await ring.lookup()
    if (lost) t.fail(`lookup ${lookup} was lost`)
    failed += now
  }
  t.ok(failed >= 5 && failed < 60, `${failed} timeouts`)
  t.equal(ring.mapQuality(25).stale, 0)
})

t.test('a crash of every node in turn, the first included, leaves a network that works', async t => {
  const ring = await ringOf(6, { membersMax: 200 })
  for (let crash = 0; crash < 60; crash++) {
    ring.crash()
    await ring.join()
    for (let lookup = 0; lookup < 20; lookup++) {
      ring.nowMs += 1_000
      t.notOk((await ring.lookup()).lost)
    }
  }
})

t.test('any replica may answer where the experiment says so', async t => {
  const ring = await ringOf(3, { answering: 3 })
  for (let lookup = 0; lookup < 10; lookup++) t.equal((await ring.lookup()).hops, 0)
})

/** What says nothing is left out. */
function listOf({ nodeId, address, incarnation, status, zone, ringAddress }: MapRecord): unknown[] {
  const list = [nodeId, address, incarnation, NODE_STATUSES.indexOf(status)]
  if (ringAddress !== address) return [...list, zone ?? null, ringAddress]
  return zone === undefined ? list : [...list, zone]
}

t.test('the bytes of a record are those of MessagePack', async t => {
  const packr = new Packr({ useRecords: false })
  for (const each of [
    record('a'),
    record('b', { incarnation: 200, zone: 'z' }),
    record('c', { incarnation: 70_000, status: 'dead' }),
    record('moved', { address: 'elsewhere.example.org:5000' as Address }),
    record('moved', { address: 'elsewhere.example.org:5000' as Address, zone: 'a zone' }),
    record('a-rather-long-name-of-a-host.example.org'),
  ])
    t.equal(recordBytes(each), packr.pack(listOf(each)).length)
})
