/**
 * Owns the thread of the simulator that runs batches of seeds of one scenario, for seed-pool.ts.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type Batch, loadScenario, runBatch } from './seed-pool.ts'

const { scenarioFile } = workerData as { scenarioFile: string }
const scenario = loadScenario(scenarioFile)

parentPort?.on('message', async (batch: Batch) => {
  parentPort?.postMessage(runBatch(await scenario, batch))
})
