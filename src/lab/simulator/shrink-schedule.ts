/**
 * The shrinking of a failing schedule: actions of the nemesis that the failure does not need are left out, so that
 * a kept schedule shows its cause. It is delta debugging (Zeller & Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", IEEE TSE 28(2), 2002), without its guarantee: it stops after `runsMax` runs.
 */
import type { MutantName, NemesisAction, Scenario, Schedule } from './scenario.ts'
import { runOnce } from './seed-pool.ts'

/** Runs that are spent on one schedule: a second or two. */
const RUNS_MAX = 300

/** A schedule under which the scenario (or its broken variant) still fails, with as few actions as were found. */
export async function shrinkSchedule(
  scenario: Scenario,
  schedule: Schedule,
  mutant?: MutantName,
  runsMax = RUNS_MAX,
): Promise<Schedule> {
  let actions: readonly NemesisAction[] = schedule.actions
  let runs = 0
  const fails = async (candidate: readonly NemesisAction[]): Promise<boolean> => {
    if (runs >= runsMax) return false
    runs++
    const options = {
      schedule: { ...schedule, actions: candidate },
      ...(mutant === undefined ? {} : { mutant }),
    }
    return !(await runOnce(scenario, schedule.seed, options)).ok
  }
  for (let size = actions.length; size >= 1; size = size >> 1) {
    for (let start = 0; start < actions.length; ) {
      const candidate = [...actions.slice(0, start), ...actions.slice(start + size)]
      if (await fails(candidate)) actions = candidate
      else start += size
    }
  }
  return { ...schedule, actions }
}
