/**
 * The check of a whole network: first every range is brought back to the replicas and acceptors that it should have,
 * then every copy of every file is read where it lies, and the records of the replicas are compared. Whatever was wrong
 * is told by name, and whether it could be healed.
 *
 * Any node can run it. One range after the other is looked at, at all of its replicas at once.
 */

import type { PeerAnswer, PeerCall, PeerStream, RangeReport } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { type ErrorCode, errorCode } from '../errors.ts'
import type { CheckWord } from '../replication/chain/range-check.ts'
import { type Arc, arcContains } from '../ring/arc.ts'
import type { NodeId } from '../ring/identifier.ts'
import { type Difference, type DifferencesComponents, differences, differencesNow } from './differences.ts'
import { mergeRanges, type OverlayRange } from './overlay.ts'
import { type Attendance, type Fault, faultOf } from './range-health.ts'

/** Ranges may take this long to come a step further, ms; a network that repairs itself moves every few seconds. */
const STAND_STILL_MS = 60_000

/** Between two looks at the ranges, ms, and between two reminders to look after them. */
const LOOK_MS = 500
const REMIND_MS = 5_000

/** How often a range is begun anew because its view has changed while it was checked. */
const ROUNDS_MAX = 5

export interface NetworkCheckComponents {
  readonly env: Env
  /** Nodes believed to be members, this one included. */
  readonly members: () => readonly NodeId[]
  /** For people: an address where there is one. */
  readonly nameOf: (node: NodeId) => string
  /** @throws StoreError. Asks this node itself without a message. */
  readonly ask: (node: NodeId, call: PeerCall) => Promise<PeerAnswer>
  /** Whether a node is there, and leaves questions without an answer: nobody takes its place. */
  readonly hangs: (node: NodeId) => boolean
  readonly stream: (node: NodeId, call: PeerStream) => AsyncIterable<CheckWord>
  readonly copies: number
  readonly signal: AbortSignal
}

/** A line of the report. The last one is a count with `done`. */
export type NetworkCheckWord =
  | { readonly node: string; readonly code: ErrorCode; readonly message: string }
  | {
      readonly path: string
      readonly node: string
      readonly code: ErrorCode
      readonly message: string
      readonly healed: boolean
    }
  | { readonly range: Arc; readonly message: string; readonly healed: boolean }
  | (Count & { readonly done: boolean })

interface Count {
  /** Ranges that were checked, of how many. */
  ranges: number
  rangesAll: number
  /** Files of these ranges, and bytes read of all their copies. */
  files: number
  bytes: number
  /** Copies that were not what they should be. */
  damaged: number
  /** Ranges with too few replicas or acceptors, or that were not in their place. */
  underReplicated: number
  /** Of damaged copies and of ranges: what was put right, and what was not. */
  healed: number
  unhealed: number
}

interface Picture extends Attendance {
  readonly ranges: readonly OverlayRange[]
  /** Why a node is silent. */
  readonly silences: ReadonlyMap<NodeId, unknown>
}

export class NetworkCheck {
  readonly #components: NetworkCheckComponents
  /** Nodes whose program is too old to take part; each is named once. */
  readonly #outdated = new Set<NodeId>()
  readonly #count: Count = {
    ranges: 0,
    rangesAll: 0,
    files: 0,
    bytes: 0,
    damaged: 0,
    underReplicated: 0,
    healed: 0,
    unhealed: 0,
  }

  constructor(components: NetworkCheckComponents) {
    this.#components = components
  }

  async *run(): AsyncGenerator<NetworkCheckWord> {
    yield { ...this.#count, done: false }
    const picture = yield* this.#repair()
    yield* this.#walk(picture)
    yield { ...this.#count, done: true }
  }

  /** Gives the ranges once nothing more can be done for them. */
  async *#repair(): AsyncGenerator<NetworkCheckWord, Picture> {
    const { env, signal } = this.#components
    const first = await this.#look()
    for (const [node, error] of first.silences) yield this.#silence(node, error)
    const wrong = this.#faults(first)
    this.#count.underReplicated = wrong.length
    let picture = first
    let left = wrong
    let missing = await this.#remind(picture)
    let stoodSinceMs = env.clock.monotonicMs()
    let remindedMs = stoodSinceMs
    for (let last = ''; left.some(one => this.#comesRight(one, picture)); ) {
      await env.timers.sleep(LOOK_MS, signal)
      picture = await this.#look()
      left = this.#faults(picture)
      const nowMs = env.clock.monotonicMs()
      if (nowMs - remindedMs >= REMIND_MS) {
        missing = await this.#remind(picture)
        remindedMs = nowMs
        yield { ...this.#count, done: false }
      }
      const state = JSON.stringify([missing, picture.ranges.map(({ epoch, state }) => [epoch, state])])
      if (state !== last) stoodSinceMs = nowMs
      else if (nowMs - stoodSinceMs > STAND_STILL_MS) break
      last = state
    }
    yield* this.#told(wrong, left)
    return picture
  }

  /** What became of the ranges that were wrong, and of those that are now. */
  *#told(
    wrong: readonly (readonly [OverlayRange, Fault])[],
    left: typeof wrong,
  ): Generator<NetworkCheckWord> {
    for (const [{ lo, hi }, { message, kind }] of left) {
      const advice = kind === 'lost' ? ' Nothing but `recover` brings it back while those are gone.' : ''
      this.#count.unhealed++
      yield { range: { lo, hi }, message: message + advice, healed: false }
    }
    const isLeft = (range: OverlayRange) => left.some(([{ lo, hi }]) => lo === range.lo && hi === range.hi)
    for (const [range, { message }] of wrong) {
      if (isLeft(range)) continue
      this.#count.healed++
      yield { range: { lo: range.lo, hi: range.hi }, message, healed: true }
    }
  }

  async *#walk(picture: Picture): AsyncGenerator<NetworkCheckWord> {
    let todo: readonly OverlayRange[] = picture.ranges.filter(({ state }) => state !== 'unknown')
    this.#count.rangesAll = picture.ranges.length
    for (let round = 1; todo.length > 0; round++) {
      const changed: OverlayRange[] = []
      for (const range of todo) {
        const isSame = yield* this.#checkRange(range, picture)
        if (isSame) this.#count.ranges++
        else changed.push(range)
      }
      if (round === ROUNDS_MAX) {
        for (const { lo, hi } of changed) {
          this.#count.unhealed++
          yield {
            range: { lo, hi },
            message: 'Its view has changed each time it was checked.',
            healed: false,
          }
        }
        return
      }
      todo = changed.length === 0 ? [] : await this.#anew(changed)
    }
  }

  /** The ranges that lie now where others were. */
  async #anew(changed: readonly OverlayRange[]): Promise<OverlayRange[]> {
    await this.#components.env.timers.sleep(LOOK_MS, this.#components.signal)
    const { ranges } = await this.#look()
    const isWithin = (range: OverlayRange) => changed.some(({ lo, hi }) => liesIn(range, { lo, hi }))
    const todo = ranges.filter(isWithin)
    this.#count.rangesAll += todo.length - changed.length
    return todo
  }

  /** True when the range was what it is from the beginning to the end of its check. */
  async *#checkRange(
    range: OverlayRange,
    { present }: Attendance,
  ): AsyncGenerator<NetworkCheckWord, boolean> {
    const nodes = range.replicas.filter(node => present.has(node) && !this.#outdated.has(node))
    const files = new Map<NodeId, number>()
    const epochs = new Map<NodeId, number>()
    const bytes = new Map<NodeId, number>()
    const { lo, hi } = range
    const streams = nodes.map(
      node => [node, this.#components.stream(node, { kind: 'check', lo, hi, heal: true })] as const,
    )
    for await (const { key: node, word, error } of merged(streams)) {
      if (error !== undefined) {
        if (errorCode(error) === 'PROTOCOL_UNSUPPORTED') this.#outdated.add(node)
        this.#count.unhealed++
        yield this.#silence(node, error)
        continue
      }
      if (word === undefined) continue
      if (word.kind === 'copy') {
        yield this.#copy(node, word)
        continue
      }
      this.#count.bytes += word.bytes - (bytes.get(node) ?? 0)
      bytes.set(node, word.bytes)
      if (word.kind === 'progress') yield { ...this.#count, done: false }
      else {
        files.set(node, word.files)
        epochs.set(node, word.epoch)
      }
    }
    const answered = nodes.filter(node => epochs.has(node))
    if (answered.some(node => epochs.get(node) !== range.epoch)) return false
    yield* this.#compare(range, answered)
    this.#count.files += Math.max(0, ...files.values())
    return true
  }

  #copy(node: NodeId, word: CheckWord & { kind: 'copy' }): NetworkCheckWord {
    const { path, code, message, healed } = word
    this.#count.damaged++
    this.#count[healed ? 'healed' : 'unhealed']++
    return { path, node: this.#components.nameOf(node), code, message, healed }
  }

  /** Records that a replica lacks or has in an older version are taken from the one that has the newest. */
  async *#compare(range: OverlayRange, nodes: readonly NodeId[]): AsyncGenerator<NetworkCheckWord> {
    const { env, ask, nameOf, signal } = this.#components
    const components: DifferencesComponents = { timers: env.timers, ask, signal }
    let found: readonly Difference[] = []
    try {
      found = await differences(components, range, nodes)
      if (found.length === 0) return
      for (const { node, path, from } of found)
        await ask(node, { kind: 'mend', path, from }).catch(onlyRefusals)
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      this.#count.unhealed++
      const { lo, hi } = range
      yield {
        range: { lo, hi },
        message: `Its records were not compared: ${(error as Error).message}`,
        healed: false,
      }
      return
    }
    const left = await differencesNow(components, range, nodes).catch(() => found)
    for (const { node, path, seen, from } of found) {
      const healed = !left.some(one => one.node === node && one.path === path && one.seen === seen)
      this.#count.damaged++
      this.#count[healed ? 'healed' : 'unhealed']++
      const message = `The record is ${seen === '' ? 'missing' : 'older'} here than at ${nameOf(from)}.`
      yield { path, node: nameOf(node), code: 'CORRUPT', message, healed }
    }
  }

  #faults({ ranges, present, silent }: Picture): (readonly [OverlayRange, Fault])[] {
    const { copies } = this.#components
    return ranges.flatMap(range => {
      const fault = faultOf(range, { present, silent }, copies)
      return fault === undefined ? [] : [[range, fault] as const]
    })
  }

  /** Whether it is worth waiting for a range: of one that only lacks nodes that hang nothing is repaired. */
  #comesRight([range, { kind }]: readonly [OverlayRange, Fault], { present, silent }: Attendance): boolean {
    const { copies, hangs } = this.#components
    const hanging = [...silent].filter(hangs)
    if (kind !== 'repairable' || hanging.length === 0) return kind === 'repairable'
    const silentOnes = new Set([...silent].filter(node => !hanging.includes(node)))
    const picture = { present: new Set([...present, ...hanging]), silent: silentOnes }
    return faultOf(range, picture, copies)?.kind === 'repairable'
  }

  #silence(node: NodeId, error: unknown): NetworkCheckWord {
    const code = errorCode(error) ?? 'INTERNAL'
    return { node: this.#components.nameOf(node), code, message: (error as Error).message }
  }

  /** The ranges as everybody who answers tells them, and who did not. */
  async #look(): Promise<Picture> {
    const { members, ask } = this.#components
    const silences = new Map<NodeId, unknown>()
    const words: [NodeId, readonly RangeReport[]][] = []
    const asked = members().map(async node => {
      try {
        const { ranges } = (await ask(node, { kind: 'ranges' })) as { ranges: readonly RangeReport[] }
        words.push([node, ranges])
      } catch (error) {
        silences.set(node, onlyRefusals(error))
      }
    })
    await Promise.all(asked)
    this.#components.signal.throwIfAborted()
    const present = new Set(words.map(([node]) => node))
    return { ranges: mergeRanges(words), present, silent: new Set(silences.keys()), silences }
  }

  /** Makes every node look after its ranges; gives how many bodies are still on their way to one. */
  async #remind({ present, silent }: Picture): Promise<number> {
    const { ask } = this.#components
    const asked = [...present].map(async node => {
      const answer = await ask(node, { kind: 'heal', silent: [...silent] }).catch(onlyRefusals)
      return (answer as { missing?: number }).missing ?? 0
    })
    return (await Promise.all(asked)).reduce((sum, missing) => sum + missing, 0)
  }
}

/** Faults of this program are not to be taken for a node that does not answer. */
function onlyRefusals(error: unknown): unknown {
  if (errorCode(error) === undefined) throw error
  return error
}

/** Views are only ever cut: a newer range lies within an older one, or is the same. */
function liesIn(range: Arc, whole: Arc): boolean {
  if (whole.lo === whole.hi) return true
  return (
    (range.hi === whole.hi || arcContains(whole, range.hi)) &&
    (range.lo === whole.lo || arcContains(whole, range.lo))
  )
}

/** A word of one of several streams, or why that one has ended early. */
export interface MergedWord<Key, Word> {
  readonly key: Key
  readonly word?: Word
  readonly error?: unknown
}

/** Reads several streams as one, each word as it comes; a stream that nobody reads from waits. */
export async function* merged<Key, Word>(
  streams: readonly (readonly [key: Key, stream: AsyncIterable<Word>])[],
): AsyncGenerator<MergedWord<Key, Word>> {
  const open = new Map(streams.map(([key, stream]) => [key, stream[Symbol.asyncIterator]()]))
  const next = async (key: Key, iterator: AsyncIterator<Word>) => {
    try {
      return { key, step: await iterator.next() }
    } catch (error) {
      return { key, error }
    }
  }
  const waiting = new Map([...open].map(([key, iterator]) => [key, next(key, iterator)]))
  try {
    while (waiting.size > 0) {
      const { key, step, error } = await Promise.race(waiting.values())
      const iterator = open.get(key)
      if (iterator === undefined || step === undefined || step.done) {
        waiting.delete(key)
        open.delete(key)
        if (step === undefined) yield { key, error }
        continue
      }
      yield { key, word: step.value }
      waiting.set(key, next(key, iterator))
    }
  } finally {
    await Promise.allSettled([...open.values()].map(iterator => iterator.return?.()))
  }
}
