import assert from 'node:assert/strict'
import t from 'tap'
import type { MutantName } from '../../../src/lab/simulator/scenario.ts'
import { scenario } from './toy-scenario.ts'

t.test('the unbroken protocol passes', async () => {
  for (let seed = 0; seed < 300; seed++) {
    const result = await scenario.run(seed, {})
    assert.ok(result.ok, `seed ${seed}: ${result.failure}`)
  }
})

t.test('every broken variant is caught', async t => {
  for (const { name, rule, runsMax } of scenario.mutants) {
    let seeds = 0
    while (seeds < runsMax && (await scenario.run(seeds, { mutant: name })).ok) seeds++
    t.ok(seeds < runsMax, `${name}: ${rule}`)
  }
  t.throws(() => scenario.run(1, { mutant: 'unheard-of' as MutantName }), TypeError)
})

t.test('a run is the same each time, with and without its transcript, and under its own actions', async t => {
  const digests = new Set<string>()
  for (let seed = 0; seed < 50; seed++) {
    const first = await scenario.run(seed, {})
    assert.deepEqual(await scenario.run(seed, {}), first)
    assert.deepEqual(await scenario.run(seed, { transcript: () => {} }), first)
    const schedule = { scenario: 'toy', note: 'its own', seed, actions: first.actions ?? [] }
    assert.deepEqual(await scenario.run(seed, { schedule }), first)
    digests.add(first.digest)
  }
  t.equal(digests.size, 50)
})
