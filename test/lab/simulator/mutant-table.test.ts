import t from 'tap'
import { formatMutantTable, judgeMutants } from '../../../src/lab/simulator/mutant-table.ts'
import type { MutantName, Scenario, Schedule } from '../../../src/lab/simulator/scenario.ts'
import { localRunner } from '../../../src/lab/simulator/seed-pool.ts'

const names = ['soon', 'rare', 'harmless'] as MutantName[] as [MutantName, MutantName, MutantName]
const [soon, rare, harmless] = names

/** `soon` fails at every seed that ends in 3, `rare` only under a schedule. */
const scenario: Scenario = {
  name: 'here',
  mutants: names.map(name => ({ name, rule: `the rule of ${name}`, runsMax: 40 })),
  run(seed, { mutant, schedule }) {
    const isBad = (mutant === soon && seed % 10 === 3) || (mutant === rare && schedule !== undefined)
    return { ok: !isBad, steps: 1, virtualMs: 1, digest: '' }
  },
}

const schedule: Schedule = { scenario: 'here', note: 'rare', seed: 1, actions: [], catches: [rare] }

t.test('each variant is caught by a kept schedule, by a seed, or not at all', async t => {
  let nowMs = 0
  const judged: string[] = []
  const verdicts = await judgeMutants(scenario, localRunner(scenario), {
    schedules: [{ file: 'test/rare.json', schedule }],
    firstSeed: 100,
    jobs: 1,
    clock: { monotonicMs: () => (nowMs += 250) },
    judged: ({ mutant }) => judged.push(mutant.name),
  })
  t.same(judged, names)
  t.same(
    verdicts.map(({ caughtBy }) => caughtBy),
    [{ seeds: 4 }, { file: 'test/rare.json' }, undefined],
  )
  t.equal(verdicts[2]?.mutant.name, harmless)
  t.same(formatMutantTable(verdicts), [
    'variant   rule that is broken   seeds until caught    time',
    'soon      the rule of soon                       4  0.25 s',
    'rare      the rule of rare               rare.json  0.25 s',
    'harmless  the rule of harmless    NOT CAUGHT in 40  0.25 s',
  ])
})
