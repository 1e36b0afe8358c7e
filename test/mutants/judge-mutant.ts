/**
 * Tries to catch one mutant, by the cheapest means first: its tests, the schedule that aims at it, fresh seeds. Each try is
 * a process of its own, into which hook.js puts the changed source.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Mutant, mutatedSource, ROOT, SEEDS, testsOf } from './mutant.ts'

/** How a mutant was caught, or that it got through. */
export type Verdict =
  | { readonly by: 'test'; readonly file: string; readonly title: string }
  | { readonly by: 'schedule'; readonly name: string; readonly failure: string }
  | { readonly by: 'seeds'; readonly seeds: number; readonly failure: string }
  | { readonly by: 'nobody'; readonly seeds: number }

export interface JudgeOptions {
  /** Only tests; a mutant that they do not catch counts as got through. */
  readonly testsOnly?: boolean
  /** At most so many seeds, whatever the mutant says. */
  readonly seedsMax?: number
}

/** One test file, ms. A mutant that makes it hang is caught by that. */
const TEST_TIMEOUT_MS = 180_000

/** All seeds of a mutant, ms; a world that does not end is caught by that, too. */
const SEEDS_TIMEOUT_MS = 900_000

/** Seeds from that of a schedule on: the actions aim at the mutant, the delays come from the seed. */
const AIMED_SEEDS = 48

const FIRST_SEED = 1

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly isLate: boolean
}

/** Runs one module with tsx, with the mutant or without. */
function run(args: readonly string[], mutant: Mutant | undefined, timeoutMs: number): Promise<Ended> {
  const { MUTANT: _, ...env } = process.env
  if (mutant !== undefined) {
    const { file, find, replace } = mutant
    Object.assign(env, { MUTANT: JSON.stringify({ file, find, replace }) })
  }
  const hook = ['--import', join(import.meta.dirname, 'hook.js'), '--import', 'tsx']
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...hook, ...args], { cwd: ROOT, env })
    let output = ''
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.on('data', piece => (output += piece))
    child.stderr.on('data', piece => (output += piece))
    child.on('error', reject)
    child.on('close', code => {
      clearTimeout(timer)
      resolve({ code, output, isLate })
    })
  })
}

/** Whether a test file passes without any mutant; asked once for each file. */
const unbroken = new Map<string, Promise<boolean>>()

function passesUnbroken(file: string): Promise<boolean> {
  const known = unbroken.get(file) ?? run([file], undefined, TEST_TIMEOUT_MS).then(({ code }) => code === 0)
  unbroken.set(file, known)
  return known
}

/**
 * Judges one mutant.
 * @throws TypeError when its text is not in its file exactly once, or a test fails without it.
 */
export async function judgeMutant(mutant: Mutant, options: JudgeOptions = {}): Promise<Verdict> {
  mutatedSource(mutant)
  for (const file of testsOf(mutant, path => existsSync(join(ROOT, path)))) {
    const { code, output, isLate } = await run([file], mutant, TEST_TIMEOUT_MS)
    if (code === 0) continue
    if (!(await passesUnbroken(file))) throw new TypeError(`${file} fails without any mutant.`)
    const title = isLate ? 'it does not end' : titleIn(output)
    return { by: 'test', file, title }
  }
  if (options.testsOnly) return { by: 'nobody', seeds: 0 }
  const { schedule } = mutant
  if (schedule !== undefined) {
    const failure = await failureIn(mutant, AIMED_SEEDS, `test/lab/schedules/${schedule}.json`)
    if (failure !== undefined) return { by: 'schedule', name: schedule, failure: failure.text }
  }
  const seeds = Math.min(mutant.seeds ?? SEEDS, options.seedsMax ?? Number.POSITIVE_INFINITY)
  const failure = seeds === 0 ? undefined : await failureIn(mutant, seeds)
  return failure === undefined
    ? { by: 'nobody', seeds }
    : { by: 'seeds', seeds: failure.runs, failure: failure.text }
}

/** The title of the first test that failed at the highest level. */
function titleIn(output: string): string {
  return /^not ok \d+ - (.*?)(?: # .*)?$/m.exec(output)?.[1] ?? 'it cannot be loaded'
}

/** The first failure of the simulator with the mutant, with a seed under which it passes without. */
async function failureIn(
  mutant: Mutant,
  count: number,
  schedule?: string,
): Promise<{ runs: number; text: string } | undefined> {
  const more = schedule === undefined ? [] : [schedule]
  const firstSeed =
    schedule === undefined
      ? FIRST_SEED
      : (await import('../../src/lab/simulator/kept-schedules.ts')).readSchedule(join(ROOT, schedule))
          .schedule.seed
  for (let done = 0; done < count; ) {
    const program = join(import.meta.dirname, 'seeds-main.ts')
    const args = [program, `${count - done}`, `${firstSeed + done}`, ...more]
    const { code, output, isLate } = await run(args, mutant, SEEDS_TIMEOUT_MS)
    if (isLate) return { runs: done, text: 'a run does not end' }
    const found = code === 0 ? parseFound(output) : undefined
    if (found === undefined) return { runs: done + 1, text: 'the program cannot be loaded' }
    done += found.runs
    if (found.failed === undefined) return undefined
    const alone = await run([program, '1', `${found.failed.seed}`, ...more], undefined, SEEDS_TIMEOUT_MS)
    // In the world of another seed a schedule may ask for what is not there: that is no catch.
    if (parseFound(alone.output)?.failed === undefined) return { runs: done, text: found.failed.failure }
  }
  return undefined
}

interface Found {
  readonly runs: number
  readonly failed?: { readonly seed: number; readonly failure: string }
}

function parseFound(output: string): Found | undefined {
  const line = output.split('\n').findLast(text => text.startsWith('{"runs"'))
  return line === undefined ? undefined : (JSON.parse(line) as Found)
}
