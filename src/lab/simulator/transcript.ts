/**
 * What is remembered of a run: a hash over everything, always; and, when somebody wants to read it, the events
 * themselves, of which a failing run shows only those that touch what failed.
 */
import { createHash } from 'node:crypto'
import type { RunOptions } from './scenario.ts'

/** What an event is about: names of paths and views. `*` is about everything, as a crash is. */
export type Subjects = readonly string[] | '*'

interface NotedEvent {
  readonly atMs: number
  readonly where: string
  readonly kind: string
  readonly subjects: Subjects
  readonly detail: string
}

/** What went wrong, and what it is about. */
export interface Failure {
  readonly reason: string
  readonly subjects: Subjects
  /** Virtual ms after which nothing matters any more; without it the end of the run. */
  readonly untilMs?: number
}

/** Lines of a transcript; people do not read more, and the last ones matter most. */
export const TRANSCRIPT_LINES_MAX = 150

/** Events that are kept for a transcript. A run has some thousand; the oldest go first. */
export const NOTED_EVENTS_MAX = 200_000

/** Characters of a detail that are shown; a line should fit a wide terminal. */
const DETAIL_CHARACTERS_MAX = 160

/** Identifiers and hashes are known by their beginning: this many of their hexadecimal digits are shown. */
const HEX_DIGITS_SHOWN = 6

/** Characters that are hashed at a time: a call of the hash for each event costs more than the event. */
const DIGEST_BATCH_CHARACTERS = 32 * 1024

/** The transcript of one run. */
export class Transcript {
  readonly #clock: { monotonicMs(): number }
  readonly #write: ((line: string) => void) | undefined
  readonly #hash = createHash('sha256')
  #unhashed = ''
  #events: NotedEvent[] = []
  #digest: string | undefined

  /** `write` receives the lines of a failing run. Without it nothing is kept but the hash, which is the same. */
  constructor(
    components: { readonly clock: { monotonicMs(): number } },
    init: { readonly write?: ((line: string) => void) | undefined },
  ) {
    this.#clock = components.clock
    this.#write = init.write
  }

  /**
   * Notes an event. A `detail` that costs something to make is a function: it is called only when somebody reads, and
   * is no part of the hash.
   * @param where for example `n1`, `n1>n2`, `c3`.
   */
  note(where: string, kind: string, subjects: Subjects, detail: string | (() => string) = ''): void {
    const atMs = this.#clock.monotonicMs()
    const hashed = typeof detail === 'string' ? detail : ''
    this.#unhashed += `${atMs} ${where} ${kind} ${subjects} ${hashed}\n`
    if (this.#unhashed.length > DIGEST_BATCH_CHARACTERS) this.#hashRest()
    if (this.#write === undefined) return
    this.#events.push({ atMs, where, kind, subjects, detail: typeof detail === 'string' ? detail : detail() })
    if (this.#events.length > NOTED_EVENTS_MAX) this.#events = this.#events.slice(NOTED_EVENTS_MAX / 2)
  }

  /** The hash over all events, 32 hexadecimal digits. The run is over: nothing can be noted after it. */
  digest(): string {
    if (this.#digest === undefined) {
      this.#hashRest()
      this.#digest = this.#hash.digest('hex').slice(0, 32)
    }
    return this.#digest
  }

  /** Writes the events that are about the failure, the latest ones if there are many, and then the reason. */
  tell(failure: Failure): void {
    const write = this.#write
    if (write === undefined) return
    const wanted = failure.subjects === '*' ? undefined : new Set(failure.subjects)
    const untilMs = failure.untilMs ?? Number.POSITIVE_INFINITY
    const events = this.#events.filter(
      ({ atMs, subjects }) =>
        atMs <= untilMs &&
        (wanted === undefined || subjects === '*' || subjects.some(name => wanted.has(name))),
    )
    const shown = events.slice(-TRANSCRIPT_LINES_MAX)
    if (shown.length < events.length) write(`… ${events.length - shown.length} earlier events are left out`)
    for (const line of alignEvents(shown)) write(line)
    for (const line of failure.reason.split('\n')) write(line)
  }

  #hashRest(): void {
    this.#hash.update(this.#unhashed)
    this.#unhashed = ''
  }
}

function alignEvents(events: readonly NotedEvent[]): string[] {
  const times = events.map(({ atMs }) => atMs.toFixed(3))
  const width = (texts: readonly string[]) => Math.max(0, ...texts.map(text => text.length))
  const timeWidth = width(times)
  const whereWidth = width(events.map(({ where }) => where))
  const kindWidth = width(events.map(({ kind }) => kind))
  return events.map(({ where, kind, detail }, index) =>
    [
      (times[index] as string).padStart(timeWidth),
      where.padEnd(whereWidth),
      kind.padEnd(kindWidth),
      readable(detail),
    ]
      .join('  ')
      .trimEnd(),
  )
}

/** One line, without quotation marks, with long hexadecimal numbers cut to their beginnings. */
function readable(detail: string): string {
  const line = detail.replaceAll('\n', ' ').replaceAll('"', '')
  const short = line.replace(/[0-9a-f]{16,}/g, digits => digits.slice(0, HEX_DIGITS_SHOWN))
  return short.length > DETAIL_CHARACTERS_MAX ? `${short.slice(0, DETAIL_CHARACTERS_MAX - 1)}…` : short
}

/** Where the front-end finds a run: the file of the scenario when it is not the usual one, and that of a schedule. */
export interface ReplayInit extends Pick<RunOptions, 'mutant'> {
  readonly seed: number
  readonly scenarioFile?: string | undefined
  readonly scheduleFile?: string | undefined
}

/** The one command that shows a run again. */
export function replayCommand({ seed, mutant, scenarioFile, scheduleFile }: ReplayInit): string {
  const options = [
    scenarioFile === undefined ? [] : ['--scenario', scenarioFile],
    scheduleFile === undefined ? ['--seed', `${seed}`] : ['--schedule', scheduleFile],
    mutant === undefined ? [] : ['--mutant', mutant],
  ]
  return `npm run simulate -- ${options.flat().join(' ')}`
}
