import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { scenario } from '../../../src/lab/simulator/chain-scenario.ts'

t.test('the unbroken protocol passes, also where the clocks of nodes are hours apart', async t => {
  let hoursApart = 0
  for (let seed = 0; seed < 8; seed++) {
    const result = await scenario.run(seed, {})
    assert.ok(result.ok, `seed ${seed}: ${result.failure}`)
    if ((result.clocksApartMs ?? 0) > 2 * 3_600_000) hoursApart++
  }
  t.ok(hoursApart >= 1 && hoursApart < 8, `${hoursApart} of 8`)
})

t.test('a run is the same each time, with and without its transcript, and under its own actions', async t => {
  const digests = new Set<string>()
  for (let seed = 0; seed < 2; seed++) {
    const first = await scenario.run(seed, {})
    const { actions, ...same } = first
    digests.add(first.digest)
    if (seed > 0) continue
    assert.deepEqual(await scenario.run(seed, {}), first)
    assert.deepEqual(await scenario.run(seed, { transcript: () => {} }), first)
    const schedule = { scenario: 'chain', note: 'its own', seed, actions: actions ?? [] }
    assert.deepEqual(await scenario.run(seed, { schedule }), same)
  }
  t.equal(digests.size, 2)
})

t.test('nothing of a world that has ended stays in memory', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { addEventListener } = EventTarget.prototype
  const signals = new Set<WeakRef<EventTarget>>()
  EventTarget.prototype.addEventListener = function (...listener) {
    if (this instanceof AbortSignal) signals.add(new WeakRef(this))
    return addEventListener.apply(this, listener)
  }
  t.teardown(() => {
    EventTarget.prototype.addEventListener = addEventListener
  })
  await scenario.run(100060000, {})
  t.not(signals.size, 0)
  // A reference that was looked at keeps its signal for one turn.
  for (let turn = 0; turn < 5; turn++) {
    await new Promise(resolve => setImmediate(resolve))
    collect()
  }
  t.equal([...signals].filter(signal => signal.deref() !== undefined).length, 0)
})

t.test('what it does not know is refused', async t => {
  const schedule = { scenario: 'toy', note: 'of another', seed: 1, actions: [] }
  await t.rejects(async () => scenario.run(1, { schedule }), TypeError)
})
