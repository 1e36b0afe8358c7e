import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
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

t.test('a world that has ended is listened to by nobody, so that it does not stay in memory', async t => {
  const any = AbortSignal.any.bind(AbortSignal)
  const signals: AbortSignal[] = []
  const capture = (sources: AbortSignal[]) => {
    const signal = any(sources)
    signals.push(signal)
    return signal
  }
  t.intercept(AbortSignal, 'any', { value: capture })
  await scenario.run(100060000, {})
  await new Promise(resolve => setImmediate(resolve))
  t.not(signals.length, 0)
  t.equal(signals.filter(signal => getEventListeners(signal, 'abort').length > 0).length, 0)
})

t.test('what it does not know is refused', async t => {
  const schedule = { scenario: 'toy', note: 'of another', seed: 1, actions: [] }
  await t.rejects(async () => scenario.run(1, { schedule }), TypeError)
})
