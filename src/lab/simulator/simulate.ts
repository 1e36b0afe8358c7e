/**
 * The front-end of the simulator, `npm run simulate`: what it runs, what it prints, and its exit code.
 *
 * 0: everything passed, and every broken variant was caught where that was asked. 1: not so; the transcript and the
 * command that replays it are on standard output. 2: the command line is wrong.
 */
import { appendFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SingleBar } from 'cli-progress'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { realEnv } from '../../env.ts'
import { formatHistory } from './history-file.ts'
import { judgeSchedule, readSchedule, readSchedules, SCHEDULES_FOLDER } from './kept-schedules.ts'
import { formatMutantTable, judgeMutants } from './mutant-table.ts'
import { formatSchedule, type MutantName, type RunOptions, type Scenario, SEED_MAX } from './scenario.ts'
import {
  type BatchRunner,
  loadScenario,
  localRunner,
  runOnce,
  runSeeds,
  type SeedFailure,
  type SeedHistory,
  threadRunner,
} from './seed-pool.ts'
import { shrinkSchedule } from './shrink-schedule.ts'
import { replayCommand } from './transcript.ts'

/** Runs from which a progress bar is worth its line. */
const PROGRESS_RUNS_MIN = 200

/** A seed that was not asked for has this many bytes of chance: short enough to be typed again. */
const FRESH_SEED_BYTES = 4

interface Options {
  readonly scenario?: string
  readonly seeds: number
  readonly from?: number
  readonly seed?: number
  readonly all?: true
  readonly mutants?: true
  readonly mutant?: MutantName
  readonly schedule?: string[]
  readonly schedules: string
  readonly jobs: number
  readonly keep?: string
  readonly history?: string
}

/** What every way of running needs. */
interface Bench {
  readonly scenario: Scenario
  readonly scenarioFile: string
  readonly options: Options
  readonly firstSeed: number
  readonly monotonicMs: () => number
  readonly print: (line: string) => void
}

const integer = (min: number, max: number) => (text: string) => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(`An integer from ${min} to ${max}.`)
  }
  return value
}

function simulateCommand(): Command {
  return new Command('simulate')
    .exitOverride()
    .description(
      'Runs the protocol in simulated worlds, each drawn from a seed, and looks for one in which it breaks.',
    )
    .option('--seeds <count>', 'how many fresh seeds', integer(1, 10_000_000), 1_000)
    .option('--from <seed>', 'the first of them (default: a random one)', integer(0, SEED_MAX - 10_000_000))
    .option('--seed <seed>', 'replay this one run, twice, to see that it is the same', integer(0, SEED_MAX))
    .option('--all', 'go on after a failure, and say how many runs failed in which way')
    .option('--mutants', 'try every broken variant until it is caught, and print the table')
    .option('--mutant <name>', 'run this broken variant instead of the unbroken system')
    .option('--schedule <file...>', 'run kept schedules')
    .option('--schedules <folder>', 'where they are kept, for --mutants', SCHEDULES_FOLDER)
    .option('--jobs <count>', 'threads', integer(1, 64), 2)
    .option('--keep <file>', 'write the schedule of the run that failed')
    .option('--history <file>', 'write what the clients of all fresh seeds asked and were told, as NDJSON')
    .option('--scenario <file>', 'a module that exports another scenario')
}

/**
 * Runs the command line; resolves with the exit code.
 * @throws CommanderError for a wrong command line, TypeError for a file or a variant that does not fit.
 */
export async function simulate(argv: readonly string[], print: (line: string) => void): Promise<number> {
  const options = simulateCommand().parse(argv, { from: 'user' }).opts<Options>()
  const env = realEnv()
  const scenarioFile = resolve(
    options.scenario ?? fileURLToPath(new URL('./chain-scenario.ts', import.meta.url)),
  )
  const scenario = await loadScenario(scenarioFile)
  if (options.mutant !== undefined && !scenario.mutants.some(({ name }) => name === options.mutant)) {
    throw new TypeError(
      `${options.mutant} is none of: ${scenario.mutants.map(({ name }) => name).join(', ')}.`,
    )
  }
  const drawn = env.randomness.bytes(FRESH_SEED_BYTES).reduce((seed, byte) => seed * 256 + byte, 0)
  const firstSeed = options.from ?? drawn
  const monotonicMs = () => env.clock.monotonicMs()
  const bench: Bench = { scenario, scenarioFile, options, firstSeed, monotonicMs, print }
  if (options.schedule !== undefined) return runSchedules(bench, options.schedule)
  if (options.seed !== undefined) return replay(bench, options.seed)
  const runner = options.jobs === 1 ? localRunner(scenario) : threadRunner(scenarioFile, options.jobs)
  try {
    return await (options.mutants ? tryMutants(bench, runner) : runFreshSeeds(bench, runner))
  } finally {
    await runner.close()
  }
}

async function runFreshSeeds(bench: Bench, runner: BatchRunner): Promise<number> {
  const { scenario, options, firstSeed, monotonicMs, print } = bench
  const { seeds: count, jobs, mutant, all, history } = options
  print(
    `${scenario.name}: ${count} runs from seed ${firstSeed}${mutant === undefined ? '' : `, with ${mutant}`}`,
  )
  const bar = progressBar(count)
  const startMs = monotonicMs()
  const progress = (runs: number) => bar?.update(runs)
  const heard = history === undefined ? undefined : historyWriter(history)
  const wanted = { histories: heard !== undefined, ...(heard && { heard }) }
  const result = await runSeeds(runner, { firstSeed, count, mutant, all, jobs, progress, ...wanted })
  bar?.stop()
  const tookMs = monotonicMs() - startMs
  const perRun = `${((tookMs * jobs) / result.runs).toFixed(2)} ms a run`
  const perSecond = `${((result.runs * 1000) / tookMs).toFixed(0)} runs/s with ${jobs} threads`
  print(
    `${result.runs} runs in ${(tookMs / 1000).toFixed(1)} s: ${perRun}, ${perSecond}; ` +
      `${result.steps} events, ${(result.virtualMs / 3_600_000).toFixed(2)} hours of virtual time`,
  )
  const first = result.failures[0]
  if (first === undefined) {
    print('all passed')
    return 0
  }
  if (all) for (const line of summarizeFailures(result.failures)) print(line)
  else await showFailure(bench, first.seed, {}, first.result.digest)
  return 1
}

/** Writes the histories of runs to a new file, one after the other. */
function historyWriter(file: string): (histories: readonly SeedHistory[]) => void {
  writeFileSync(file, '')
  return histories => {
    for (const { seed, operations } of histories)
      appendFileSync(file, formatHistory(`seed ${seed}`, operations))
  }
}

/** The failures by their first two lines, numbers aside; the most frequent first, each with some seeds. */
function summarizeFailures(failures: readonly SeedFailure[]): string[] {
  const kinds = new Map<string, number[]>()
  for (const { seed, result } of failures) {
    const lines = (result.failure ?? '').split('\n').slice(0, 2)
    const kind = lines.join(': ').replace(/\d+/g, '#')
    kinds.set(kind, [...(kinds.get(kind) ?? []), seed])
  }
  const byCount = [...kinds].sort(([, a], [, b]) => b.length - a.length)
  return [
    `${failures.length} FAILED`,
    ...byCount.map(([kind, seeds]) => `${seeds.length} x ${kind} (seeds ${seeds.slice(0, 5).join(', ')})`),
  ]
}

async function tryMutants(bench: Bench, runner: BatchRunner): Promise<number> {
  const { scenario, options, firstSeed, monotonicMs, print } = bench
  if (scenario.mutants.length === 0)
    throw new TypeError(
      `${scenario.name} has no broken variants; npm run mutants changes the sources instead.`,
    )
  const schedules = readSchedules(options.schedules, scenario.name)
  print(`${scenario.name}: ${scenario.mutants.length} broken variants, fresh seeds from ${firstSeed}`)
  const bar = progressBar(scenario.mutants.length, 1)
  const verdicts = await judgeMutants(scenario, runner, {
    schedules,
    firstSeed,
    jobs: options.jobs,
    clock: { monotonicMs },
    judged: () => bar?.increment(),
  })
  bar?.stop()
  for (const line of formatMutantTable(verdicts)) print(line)
  const missed = verdicts.filter(({ caughtBy }) => caughtBy === undefined)
  print(
    missed.length === 0 ? 'all caught' : `not caught: ${missed.map(({ mutant }) => mutant.name).join(', ')}`,
  )
  return missed.length === 0 ? 0 : 1
}

async function replay(bench: Bench, seed: number): Promise<number> {
  const { scenario, options, print } = bench
  const result = await runOnce(scenario, seed, runOptions(options))
  if (!result.ok) {
    await showFailure(bench, seed, {}, result.digest)
    return 1
  }
  const again = await runOnce(scenario, seed, { ...runOptions(options), transcript: () => {} })
  print(
    `seed ${seed} passed: ${result.steps} events, ${result.virtualMs.toFixed(0)} virtual ms, ${result.digest}`,
  )
  return sameDigest(result.digest, again.digest, print) ? 0 : 1
}

async function runSchedules(bench: Bench, files: readonly string[]): Promise<number> {
  const { scenario, options, print } = bench
  let code = 0
  for (const kept of files.map(readSchedule)) {
    const { file, schedule } = kept
    if (schedule.scenario !== scenario.name)
      throw new TypeError(`${file} is of the scenario ${schedule.scenario}.`)
    if (options.mutant !== undefined) {
      const result = await runOnce(scenario, schedule.seed, { ...runOptions(options), schedule })
      if (!result.ok) await showFailure(bench, schedule.seed, { schedule }, result.digest, file)
      else print(`${file}: ${options.mutant} passes`)
      if (!result.ok) code = 1
      continue
    }
    const faults = await judgeSchedule(scenario, kept)
    print(`${file}: ${faults.length === 0 ? 'ok' : faults.join('; ')}`)
    if (faults.length === 0) continue
    code = 1
    const result = await runOnce(scenario, schedule.seed, { schedule })
    if (!result.ok) await showFailure(bench, schedule.seed, { schedule }, result.digest, file)
  }
  return code
}

/** Runs the failing run again, with its transcript, and says how to see it once more. */
async function showFailure(
  { scenario, options, print }: Bench,
  seed: number,
  more: RunOptions,
  digest: string,
  scheduleFile?: string,
): Promise<void> {
  const { mutant, keep, scenario: scenarioFile } = options
  print(`seed ${seed} FAILED`)
  const result = await runOnce(scenario, seed, { ...runOptions(options), ...more, transcript: print })
  sameDigest(digest, result.digest, print)
  print(`replay: ${replayCommand({ seed, mutant: mutant as MutantName, scenarioFile, scheduleFile })}`)
  if (keep === undefined || result.actions === undefined) return
  const note = (result.failure ?? '').split('\n')[0] as string
  const catches = mutant === undefined ? {} : { catches: [mutant] }
  const schedule = { scenario: scenario.name, note, seed, ...catches, actions: result.actions }
  const shrunk = await shrinkSchedule(scenario, schedule, mutant)
  writeFileSync(keep, formatSchedule(shrunk))
  print(`kept: ${keep}, ${shrunk.actions.length} of ${schedule.actions.length} actions`)
}

function runOptions({ mutant }: Options): RunOptions {
  return mutant === undefined ? {} : { mutant }
}

function sameDigest(first: string, second: string, print: (line: string) => void): boolean {
  if (first === second) return true
  print(`NOT REPEATABLE: the same seed ran twice and differed (${first}, then ${second})`)
  return false
}

/** On a terminal, a bar on standard error; else nothing. */
function progressBar(total: number, totalMin = PROGRESS_RUNS_MIN): SingleBar | undefined {
  if (!process.stderr.isTTY || total < totalMin) return undefined
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {eta_formatted} left', clearOnComplete: true })
  bar.start(total, 0)
  return bar
}

async function main(): Promise<void> {
  try {
    process.exitCode = await simulate(process.argv.slice(2), line => console.log(line))
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
    } else {
      console.error(error instanceof TypeError ? error.message : error)
      process.exitCode = 2
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
