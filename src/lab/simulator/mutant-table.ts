/**
 * The proof that the simulator can fail: each broken variant has to be caught, and the table says how soon.
 */
import { isCaughtBy, type KeptSchedule } from './kept-schedules.ts'
import type { Mutant, Scenario } from './scenario.ts'
import { type BatchRunner, runSeeds } from './seed-pool.ts'

/** How one broken variant was caught. */
export interface MutantVerdict {
  readonly mutant: Mutant
  /** Seeds until caught, the file of the schedule that caught it, or undefined: it got through. */
  readonly caughtBy: { readonly seeds: number } | { readonly file: string } | undefined
  /** Real time, ms. */
  readonly tookMs: number
}

export interface MutantTableInit {
  readonly schedules: readonly KeptSchedule[]
  readonly firstSeed: number
  readonly jobs: number
  readonly clock: { monotonicMs(): number }
  /** Called after each variant. */
  readonly judged?: (verdict: MutantVerdict) => void
}

/** Tries every broken variant: first under the schedules that are kept for it, then with fresh seeds up to its limit. */
export async function judgeMutants(
  scenario: Scenario,
  runner: BatchRunner,
  { schedules, firstSeed, jobs, clock, judged }: MutantTableInit,
): Promise<MutantVerdict[]> {
  const verdicts: MutantVerdict[] = []
  for (const mutant of scenario.mutants) {
    const startMs = clock.monotonicMs()
    const kept = schedules.filter(({ schedule }) => schedule.catches?.includes(mutant.name))
    let caught: KeptSchedule | undefined
    for (const one of kept) {
      if (caught === undefined && (await isCaughtBy(scenario, one.schedule, mutant.name))) caught = one
    }
    let caughtBy: MutantVerdict['caughtBy'] = caught === undefined ? undefined : { file: caught.file }
    if (caughtBy === undefined) {
      const found = await runSeeds(runner, { firstSeed, count: mutant.runsMax, mutant: mutant.name, jobs })
      if (found.failures.length > 0) caughtBy = { seeds: found.runs }
    }
    const verdict = { mutant, caughtBy, tookMs: clock.monotonicMs() - startMs }
    verdicts.push(verdict)
    judged?.(verdict)
  }
  return verdicts
}

/** The table as lines: variant, seeds until caught, time. */
export function formatMutantTable(verdicts: readonly MutantVerdict[]): string[] {
  const rows = verdicts.map(({ mutant, caughtBy, tookMs }) => [
    mutant.name,
    mutant.rule,
    caughtBy === undefined
      ? `NOT CAUGHT in ${mutant.runsMax}`
      : 'file' in caughtBy
        ? (caughtBy.file.split('/').at(-1) as string)
        : `${caughtBy.seeds}`,
    `${(tookMs / 1000).toFixed(2)} s`,
  ])
  const cells = [['variant', 'rule that is broken', 'seeds until caught', 'time'], ...rows]
  const widths = [0, 1, 2, 3].map(column => Math.max(...cells.map(row => (row[column] as string).length)))
  return cells.map(row =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number),
      )
      .join('  ')
      .trimEnd(),
  )
}
