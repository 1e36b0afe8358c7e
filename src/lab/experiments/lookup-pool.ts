/**
 * The running of the lookup experiment over its scenarios and seeds, on this thread or on several. A run depends on
 * its scenario and seed alone, so the figures are the same on any number of threads.
 */
import { ThreadPool } from '../thread-pool.ts'
import {
  figuresOf,
  type LookupFigure,
  type LookupMeasurement,
  type LookupScenario,
  measureSeed,
} from './lookup-simulated.ts'

/** One network of the experiment. */
export interface LookupRun {
  readonly scenario: LookupScenario
  readonly seed: number
}

export interface LookupRunsInit {
  readonly scenarios: readonly LookupScenario[]
  readonly seeds: readonly number[]
  /** Threads; 1 is this one. A network of 10,000 nodes takes about 1.5 GB while it runs. */
  readonly jobs: number
  /** Called now and then with the lookups done since the last time. What it throws ends the runs. */
  readonly onLookups?: (count: number) => void
  /** Ends the runs, on threads at once, on this one at the next lookups that are counted. */
  readonly signal?: AbortSignal
}

/**
 * Runs every scenario with every seed.
 * @returns the figures, by the scenarios' order and rising moments.
 * @throws what a run throws; the signal's reason.
 */
export async function measureLookups(init: LookupRunsInit): Promise<LookupFigure[]> {
  const { scenarios, seeds, jobs, signal, onLookups = () => {} } = init
  const runs = scenarios.flatMap(scenario => seeds.map(seed => ({ scenario, seed })))
  const progress = (count: number) => {
    signal?.throwIfAborted()
    onLookups(count)
  }
  const measured =
    jobs === 1 ? await oneByOne(runs, progress) : await onThreads(runs, jobs, onLookups, signal)
  return scenarios.flatMap((scenario, index) =>
    figuresOf(scenario, measured.slice(index * seeds.length, (index + 1) * seeds.length)),
  )
}

async function oneByOne(
  runs: readonly LookupRun[],
  progress: (count: number) => void,
): Promise<LookupMeasurement[][]> {
  const measured: LookupMeasurement[][] = []
  for (const { scenario, seed } of runs) measured.push(await measureSeed(scenario, seed, progress))
  return measured
}

async function onThreads(
  runs: readonly LookupRun[],
  threads: number,
  onLookups: (count: number) => void,
  signal: AbortSignal | undefined,
): Promise<LookupMeasurement[][]> {
  signal?.throwIfAborted()
  const entry = new URL('./lookup-worker.ts', import.meta.url)
  const pool = new ThreadPool<LookupRun, LookupMeasurement[]>({
    entry,
    threads: Math.min(threads, runs.length),
  })
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  try {
    return await Promise.race([Promise.all(runs.map(run => pool.run(run, onLookups))), aborted])
  } finally {
    await pool.close()
  }
}
