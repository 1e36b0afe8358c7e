import t from 'tap'
import type { LookupRun } from '../../../src/lab/experiments/lookup-pool.ts'
import {
  type LookupMeasurement,
  type LookupScenario,
  measureSeed,
} from '../../../src/lab/experiments/lookup-simulated.ts'
import { ThreadPool } from '../../../src/lab/thread-pool.ts'

t.test('a thread measures what the main thread would', async t => {
  const entry = new URL('../../../src/lab/experiments/lookup-worker.ts', import.meta.url)
  const pool = new ThreadPool<LookupRun, LookupMeasurement[]>({ entry, threads: 1 })
  t.teardown(() => pool.close())
  const scenario: LookupScenario = {
    nodes: 1_000,
    mode: 'path',
    virtualNodes: 1,
    replicas: 3,
    answering: 1,
    wholeMap: false,
    lifetimeSeconds: 60,
    moments: [1],
  }
  t.same(await pool.run({ scenario, seed: 9 }), await measureSeed(scenario, 9))
})
