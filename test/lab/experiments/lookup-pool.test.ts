import t from 'tap'
import { measureLookups } from '../../../src/lab/experiments/lookup-pool.ts'
import {
  figuresOf,
  type LookupScenario,
  lookupsPerSeed,
  measureSeed,
} from '../../../src/lab/experiments/lookup-simulated.ts'

const chain: LookupScenario = {
  nodes: 120,
  mode: 'chain',
  virtualNodes: 1,
  replicas: 3,
  answering: 1,
  wholeMap: false,
  lifetimeSeconds: undefined,
  moments: [1, 2],
}
const scenarios: LookupScenario[] = [
  chain,
  { ...chain, nodes: 80, mode: 'path', wholeMap: true, lifetimeSeconds: 20 },
]
const seeds = [3, 4, 5]

t.test('the figures are the same, and in the same order, on any number of threads', async t => {
  const expected = []
  for (const scenario of scenarios) {
    const bySeed = []
    for (const seed of seeds) bySeed.push(await measureSeed(scenario, seed))
    expected.push(...figuresOf(scenario, bySeed))
  }
  t.equal(expected.length, 4)
  for (const jobs of [1, 3]) {
    let counted = 0
    const figures = await measureLookups({
      scenarios,
      seeds,
      jobs,
      onLookups: count => {
        counted += count
      },
    })
    t.same(figures, expected, `${jobs} threads`)
    t.equal(
      counted,
      scenarios.reduce((sum, scenario) => sum + seeds.length * lookupsPerSeed(scenario), 0),
    )
  }
})

t.test('an interrupt ends it in the middle, on this thread and on others', async t => {
  for (const jobs of [1, 2]) {
    const interrupt = new AbortController()
    const reason = new Error('interrupted')
    const onLookups = () => interrupt.abort(reason)
    const { signal } = interrupt
    await t.rejects(measureLookups({ scenarios, seeds, jobs, signal, onLookups }), reason)
    await t.rejects(measureLookups({ scenarios, seeds, jobs, signal }), reason, 'nor does it start')
  }
})
