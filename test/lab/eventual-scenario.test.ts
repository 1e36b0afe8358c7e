import t from 'tap'
import { scenario } from '../../src/lab/simulator/eventual-scenario.ts'
import type { RunResult } from '../../src/lab/simulator/scenario.ts'

t.setTimeout(600_000)

/** Worlds that each change is tried in. */
const SEEDS = Number(process.env.TEST_EVENTUAL_SEEDS ?? 4)

t.test('whole nodes lose nothing unseen and bring nothing back, in any of these worlds', async t => {
  const results: RunResult[] = []
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await scenario.run(seed, {})
    t.ok(result.ok, `seed ${seed}`, { failure: result.failure })
    results.push(result)
  }
  const kinds = new Set(results.flatMap(({ actions = [] }) => actions.map(({ kind }) => kind)))
  for (const kind of [
    'crash',
    'pause',
    'wipe',
    'restore',
    'fill',
    'slow',
    'skew',
    'move',
    'join',
    'depart',
    'cut',
  ])
    t.ok(kinds.has(kind), `there was trouble of the kind ${kind}`)
  const again = await scenario.run(1, {})
  t.equal(again.digest, results[0]?.digest, 'two runs of one seed are the same')
})

t.test('a schedule of another scenario is none of this one', async t => {
  const schedule = { scenario: 'chain', note: 'n', seed: 1, actions: [] }
  await t.rejects(Promise.resolve(scenario.run(1, { schedule })), TypeError)
})
