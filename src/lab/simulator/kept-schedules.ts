/**
 * The runs that are kept as files: reading them, and judging whether they still do what they are kept for.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type MutantName, parseSchedule, type Scenario, type Schedule } from './scenario.ts'
import { runOnce } from './seed-pool.ts'

/** Where failures are kept, seen from the root of the repository. */
export const SCHEDULES_FOLDER = 'test/lab/schedules'

export interface KeptSchedule {
  readonly file: string
  readonly schedule: Schedule
}

/**
 * The kept schedule of a file.
 * @throws TypeError that names the file when it is malformed.
 */
export function readSchedule(file: string): KeptSchedule {
  try {
    return { file, schedule: parseSchedule(readFileSync(file, 'utf8')) }
  } catch (cause) {
    throw new TypeError(`${file}: ${(cause as Error).message}`, { cause })
  }
}

/** All kept schedules of a scenario in a folder, by their names; none when there is no such folder. */
export function readSchedules(folder: string, scenarioName: string): KeptSchedule[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .sort()
    .map(name => readSchedule(join(folder, name)))
    .filter(({ schedule }) => schedule.scenario === scenarioName)
}

/**
 * What is wrong with a kept schedule: the unbroken system fails under it, or a broken variant passes that it is there
 * to catch. Empty when all is well.
 */
export async function judgeSchedule(scenario: Scenario, { schedule }: KeptSchedule): Promise<string[]> {
  const unbroken = await runOnce(scenario, schedule.seed, { schedule })
  const faults = unbroken.ok ? [] : [`the unbroken system fails: ${unbroken.failure}`]
  for (const mutant of schedule.catches ?? []) {
    if (!(await isCaughtBy(scenario, schedule, mutant))) faults.push(`it does not catch ${mutant} any more`)
  }
  return faults
}

/**
 * Seeds from that of a schedule on, of which one has to catch the variant. The actions aim at it, the seed decides the
 * delays: what is sent otherwise after a change of the protocol gives the same seed other ones. A schedule that catches
 * in one run of eight is missed by all of these once in 600 times.
 */
export const AIMED_SEEDS = 48

/** Whether a broken variant fails under the schedule, with a seed under which the unbroken system passes. */
export async function isCaughtBy(
  scenario: Scenario,
  schedule: Schedule,
  mutant: MutantName,
): Promise<boolean> {
  for (let seed = schedule.seed; seed < schedule.seed + AIMED_SEEDS; seed++) {
    const options = { schedule: { ...schedule, seed } }
    if ((await runOnce(scenario, seed, { ...options, mutant })).ok) continue
    // In the world of another seed a schedule may ask for what is not there: that is no catch.
    if ((await runOnce(scenario, seed, options)).ok) return true
  }
  return false
}
