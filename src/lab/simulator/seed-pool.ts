/**
 * The running of many seeds: in batches, over worker threads, up to the first seed that fails.
 *
 * The first failure is the one with the lowest seed, whatever thread is faster, so that a start seed and a count always
 * lead to the same answer.
 */
import { pathToFileURL } from 'node:url'
import { ThreadPool } from '../thread-pool.ts'
import type { Operation } from './history.ts'
import type { MutantName, RunOptions, RunResult, Scenario, ScenarioModule } from './scenario.ts'

/** Seeds that run one after the other before somebody looks: some tenths of a second. */
const BATCH_SEEDS = 16

/** Some consecutive seeds. */
export interface Batch {
  readonly firstSeed: number
  readonly count: number
  readonly mutant?: MutantName | undefined
  /** Goes on after a failure. */
  readonly all?: boolean | undefined
  /** Gives the history of each run. */
  readonly histories?: boolean | undefined
}

/** A run that failed. */
export interface SeedFailure {
  readonly seed: number
  readonly result: RunResult
}

/** What a batch did; it ends at its first failure unless all were asked for. */
export interface BatchResult {
  readonly runs: number
  readonly steps: number
  readonly virtualMs: number
  /** By their seeds. */
  readonly failures: readonly SeedFailure[]
  /** Where they were asked for, by their seeds. */
  readonly histories?: readonly SeedHistory[]
}

/** What the clients of one run asked and were told. */
export interface SeedHistory {
  readonly seed: number
  readonly operations: readonly Operation[]
}

/** Runs batches; several at a time may be under way. */
export interface BatchRunner {
  run(batch: Batch): Promise<BatchResult>
  close(): Promise<void>
}

/**
 * The scenario that a file exports.
 * @throws TypeError when it exports none; what loading throws.
 */
export async function loadScenario(file: string): Promise<Scenario> {
  const module = (await import(pathToFileURL(file).href)) as Partial<ScenarioModule>
  if (typeof module.scenario?.run !== 'function') throw new TypeError(`${file} exports no scenario.`)
  return module.scenario
}

/** One run. What the scenario throws is a failure of the run, with its stack. */
export async function runOnce(scenario: Scenario, seed: number, options: RunOptions): Promise<RunResult> {
  try {
    return await scenario.run(seed, options)
  } catch (error) {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
    options.transcript?.(failure)
    return { ok: false, failure, steps: 0, virtualMs: 0, digest: `thrown: ${failure}` }
  }
}

/** Runs a batch here and now. */
export async function runBatch(
  scenario: Scenario,
  { firstSeed, count, mutant, all, histories: wanted }: Batch,
): Promise<BatchResult> {
  const failures: SeedFailure[] = []
  const histories: SeedHistory[] = []
  let runs = 0
  let steps = 0
  let virtualMs = 0
  while (runs < count && (all || failures.length === 0)) {
    const seed = firstSeed + runs
    const history = (operations: readonly Operation[]) => histories.push({ seed, operations })
    const options = { ...(mutant !== undefined && { mutant }), ...(wanted && { history }) }
    const result = await runOnce(scenario, seed, options)
    runs++
    steps += result.steps
    virtualMs += result.virtualMs
    if (!result.ok) failures.push({ seed, result })
  }
  return { runs, steps, virtualMs, failures, ...(wanted && { histories }) }
}

/** Runs batches on this thread. */
export function localRunner(scenario: Scenario): BatchRunner {
  return { run: batch => runBatch(scenario, batch), close: async () => {} }
}

/** Runs batches on threads of their own, which load the scenario from its file. */
export function threadRunner(scenarioFile: string, threads: number): BatchRunner {
  const entry = new URL('./seed-worker.ts', import.meta.url)
  const pool = new ThreadPool<Batch, BatchResult>({ entry, data: { scenarioFile }, threads })
  return { run: batch => pool.run(batch), close: () => pool.close() }
}

export interface PoolInit extends Batch {
  /** Batches that are under way at the same time. */
  readonly jobs: number
  /** Called after each batch with the runs so far. */
  readonly progress?: (runs: number) => void
  /** Called with the histories of each batch, where they were asked for. */
  readonly heard?: (histories: readonly SeedHistory[]) => void
}

/** Runs seeds up to the first that fails, or all. The sums are over the seeds up to that one. */
export async function runSeeds(
  runner: BatchRunner,
  { firstSeed, count, mutant, all, histories, jobs, progress, heard }: PoolInit,
): Promise<BatchResult> {
  const results: (BatchResult | undefined)[] = []
  const batches = Math.ceil(count / BATCH_SEEDS)
  let next = 0
  let failed = batches
  let runs = 0
  const work = async () => {
    while (next < batches && next < failed) {
      const index = next++
      const from = index * BATCH_SEEDS
      const seeds = { firstSeed: firstSeed + from, count: Math.min(BATCH_SEEDS, count - from) }
      const result = await runner.run({ ...seeds, mutant, all, histories })
      heard?.(result.histories ?? [])
      results[index] = { ...result, histories: [] }
      runs += result.runs
      if (result.failures.length > 0 && !all) failed = Math.min(failed, index)
      progress?.(runs)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  const counted = results.slice(0, failed + 1).filter(result => result !== undefined)
  const sum = (of: (result: BatchResult) => number) =>
    counted.reduce((total, result) => total + of(result), 0)
  return {
    runs: sum(result => result.runs),
    steps: sum(result => result.steps),
    virtualMs: sum(result => result.virtualMs),
    failures: counted.flatMap(result => result.failures),
  }
}
