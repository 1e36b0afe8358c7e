/**
 * `seeds-main.ts COUNT FIRST [SCHEDULE]`: runs the chain scenario with some seeds up to the first that fails, under a kept
 * schedule when one is named, and prints what it found as one line of JSON. The process has the mutant in it, or none.
 */
import { scenario } from '../../src/lab/simulator/chain-scenario.ts'
import { readSchedule } from '../../src/lab/simulator/kept-schedules.ts'
import { runOnce } from '../../src/lab/simulator/seed-pool.ts'

const [count = '1', first = '1', file] = process.argv.slice(2)
const kept = file === undefined ? undefined : readSchedule(file).schedule

let runs = 0
let failed: { readonly seed: number; readonly failure: string } | undefined
while (runs < Number(count) && failed === undefined) {
  const seed = Number(first) + runs++
  const options = kept === undefined ? {} : { schedule: { ...kept, seed } }
  const result = await runOnce(scenario, seed, options)
  if (!result.ok) failed = { seed, failure: (result.failure ?? '').split('\n')[0] as string }
}
console.log(JSON.stringify({ runs, failed }))
