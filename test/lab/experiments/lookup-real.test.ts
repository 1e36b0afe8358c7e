import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { measureRealLookups, stepsOf, WARM_LOOKUPS } from '../../../src/lab/experiments/lookup-real.ts'

// Processes take their time to start on a machine that is shared.
t.setTimeout(600_000)

t.test('lookups of real processes, right after start and warm', async t => {
  const scenario = { nodes: 3, learn: 'path' as const, virtualNodes: 1, replicas: 1 }
  const { signal } = new AbortController()
  let steps = 0
  const init = { runs: 1, lookups: 60, signal, step: () => steps++ }
  const figures = await measureRealLookups({ env: realEnv() }, scenario, init)
  t.same(
    figures.map(({ moment }) => moment),
    ['start', 'warm'],
  )
  for (const { requests, edgesBefore, edgesAfter, lookups } of figures) {
    t.equal(lookups, 60)
    t.equal(requests.count, 1)
    // One for the result, and up to one step each and a rare second one; that all 60 begin at the owner is out of reach.
    t.ok(requests.mean > 1 && requests.mean <= 3, `${requests.mean} requests`)
    t.ok(edgesBefore.mean <= edgesAfter.mean, 'lookups do not make them forget')
  }
  t.equal(figures[1]?.edgesAfter.mean, 6, 'warm, each knows the two others')
  t.equal(steps, stepsOf(scenario, init))
  t.equal(stepsOf(scenario, init), 3 + 2 * 60 + 3 * WARM_LOOKUPS)
})
