/**
 * What the simulator's front-end and a scenario know of each other, and the form in which failures are kept.
 *
 * A scenario is a whole simulated world: nodes, network, disks, clients, nemesis, invariants. The front-end
 * (simulate.ts) knows none of that: it hands out seeds, counts, and shows the transcript of a run that failed.
 */
import type { Operation } from './history.ts'

/** Names one broken variant of a scenario: a rule that is switched off, only here, to show that its loss is noticed. */
export type MutantName = string & { readonly brand: 'MutantName' }

/** A broken variant. */
export interface Mutant {
  readonly name: MutantName
  /** The rule that is switched off, as a few words for the table. */
  readonly rule: string
  /** Runs within which it has to be caught; a rare one is caught by a kept schedule and needs only that one run. */
  readonly runsMax: number
}

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

/** One thing that the nemesis does. What else it carries (nodes, lengths) is the scenario's own, as plain JSON. */
export interface NemesisAction {
  /** Virtual ms since the start of the run. */
  readonly atMs: number
  /** For example `crash`, `cut`, `wipe`. */
  readonly kind: string
  readonly [detail: string]: Json | undefined
}

/**
 * A run that is worth keeping, as plain data (test/lab/schedules/*.json). The seed still decides delays and losses; the
 * actions replace what the nemesis would have drawn, so that the kept run survives changes of the nemesis.
 */
export interface Schedule {
  /** The name of the scenario that understands it. */
  readonly scenario: string
  /** Why it is kept, as a sentence. */
  readonly note: string
  readonly seed: number
  /** What the seed would draw otherwise of the world itself, in the scenario's own terms. */
  readonly world?: { readonly [detail: string]: Json | undefined }
  /** In the order of their times. */
  readonly actions: readonly NemesisAction[]
  /** The broken variants that have to fail under it. The unbroken system has to pass always. */
  readonly catches?: readonly MutantName[]
}

export interface RunOptions {
  /** Runs this broken variant instead of the unbroken system. */
  readonly mutant?: MutantName
  /** What the nemesis does; without it, it draws from the seed. */
  readonly schedule?: Schedule
  /** Receives the transcript, line by line, when the run fails. Asking for it changes nothing else of the run. */
  readonly transcript?: (line: string) => void
  /** Receives what the clients asked and were told, at the end of the run. Asking for it changes nothing of the run. */
  readonly history?: (operations: readonly Operation[]) => void
}

export interface RunResult {
  readonly ok: boolean
  /** What was found wrong, first line short enough for a table. Only when not `ok`. */
  readonly failure?: string
  /** Events of the virtual clock that were worked off. */
  readonly steps: number
  readonly virtualMs: number
  /** Between the wall clocks of any two nodes that ran when the trouble ended, ms at the most. */
  readonly clocksApartMs?: number
  /** A hash over all events: equal digests mean that two runs were the same, bit for bit. */
  readonly digest: string
  /** Views that were active at some time; many in a short while are a range that is not left in peace. */
  readonly views?: number
  /** What the nemesis did, so that the run can be kept. */
  readonly actions?: readonly NemesisAction[]
}

export interface Scenario {
  readonly name: string
  /** All broken variants that `run` knows. */
  readonly mutants: readonly Mutant[]
  /**
   * One run, from nothing to its verdict. Everything random comes from `seed`; with equal arguments the result is equal.
   * @param seed an integer from 0 to 2^53 - 1.
   * @throws TypeError, thrown or as a rejection, for a mutant or a schedule of another scenario. A defect of the simulated system is a result.
   */
  run(seed: number, options: RunOptions): RunResult | Promise<RunResult>
}

/** What a module has to export so that the front-end can load it by its file name, in worker threads too. */
export interface ScenarioModule {
  readonly scenario: Scenario
}

/** The seed with the greatest value, so that every seed is an exact number. */
export const SEED_MAX = Number.MAX_SAFE_INTEGER

/**
 * The schedule in a kept file.
 * @throws TypeError with a sentence that names what is wrong.
 */
export function parseSchedule(text: string): Schedule {
  const value = JSON.parse(text) as Partial<Schedule>
  if (typeof value.scenario !== 'string') throw new TypeError('A schedule names its scenario.')
  if (typeof value.note !== 'string') throw new TypeError('A schedule says in `note` why it is kept.')
  if (!Number.isSafeInteger(value.seed) || (value.seed as number) < 0) {
    throw new TypeError('The seed of a schedule is an integer from 0 on.')
  }
  if (!Array.isArray(value.actions)) throw new TypeError('A schedule has a list of actions.')
  let previousMs = 0
  for (const action of value.actions as Partial<NemesisAction>[]) {
    if (typeof action.kind !== 'string' || typeof action.atMs !== 'number') {
      throw new TypeError(`An action has \`kind\` and \`atMs\`: ${JSON.stringify(action)}.`)
    }
    if (!(action.atMs >= previousMs))
      throw new TypeError(`Actions are in the order of their times: ${action.atMs}.`)
    previousMs = action.atMs
  }
  const { catches, world } = value
  if (world !== undefined && (typeof world !== 'object' || world === null || Array.isArray(world)))
    throw new TypeError('The `world` of a schedule is an object.')
  if (catches !== undefined && !(Array.isArray(catches) && catches.every(name => typeof name === 'string'))) {
    throw new TypeError('`catches` is a list of names of broken variants.')
  }
  return value as Schedule
}

/** The text of a kept file: one action a line, so that a change of it reads well. */
export function formatSchedule(schedule: Schedule): string {
  const { actions, ...head } = schedule
  const fields = Object.entries(head).map(
    ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`,
  )
  const lines = actions.map(action => `    ${JSON.stringify(action)}`)
  const list = lines.length === 0 ? '[]' : `[\n${lines.join(',\n')}\n  ]`
  return `{\n${fields.join('\n')}\n  "actions": ${list}\n}\n`
}
