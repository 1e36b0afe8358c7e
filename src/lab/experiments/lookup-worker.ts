/**
 * The thread that runs networks of the lookup experiment, for lookup-pool.ts.
 */
import { workOn } from '../thread-pool.ts'
import type { LookupRun } from './lookup-pool.ts'
import { measureSeed } from './lookup-simulated.ts'

workOn(
  async () =>
    ({ scenario, seed }: LookupRun, progress) =>
      measureSeed(scenario, seed, progress),
)
