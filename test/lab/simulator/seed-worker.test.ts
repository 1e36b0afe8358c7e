import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { MutantName } from '../../../src/lab/simulator/scenario.ts'
import { runBatch, threadRunner } from '../../../src/lab/simulator/seed-pool.ts'
import { scenario } from './toy-scenario.ts'

t.test('a thread answers each batch as the main thread would, in turn', async t => {
  const file = fileURLToPath(new URL('./toy-scenario.ts', import.meta.url))
  const runner = threadRunner(file, 1)
  t.teardown(() => runner.close())
  const batches = [
    { firstSeed: 3, count: 4 },
    { firstSeed: 0, count: 60, mutant: 'no-sync' as MutantName },
    { firstSeed: 7, count: 1 },
  ]
  const results = await Promise.all(batches.map(batch => runner.run(batch)))
  t.same(results, await Promise.all(batches.map(batch => runBatch(scenario, batch))))
})
