/**
 * The thread of the simulator that runs batches of seeds of one scenario, for seed-pool.ts.
 */
import { workOn } from '../thread-pool.ts'
import { type Batch, loadScenario, runBatch } from './seed-pool.ts'

workOn(async ({ scenarioFile }: { scenarioFile: string }) => {
  const scenario = await loadScenario(scenarioFile)
  return (batch: Batch) => runBatch(scenario, batch)
})
