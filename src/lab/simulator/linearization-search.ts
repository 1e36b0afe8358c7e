/**
 * The search for a linearization of one path: an order of its operations that explains every answer and in which
 * no operation that was answered comes after one that was invoked later (Herlihy & Wing 1990).
 *
 * The search is that of Wing & Gong ("Testing and Verifying Concurrent Objects", JPDC 17, 1993): take any operation that
 * may come next, go on, and go back when stuck; with the memory of Lowe ("Testing for Linearizability", Concurrency and
 * Computation 29(4), 2017): the same operations taken, with the same state, are never tried twice. Four cuts keep
 * histories with many unknown outcomes small; none of them loses a linearization:
 *
 * - A value is written once, so the register that it makes is not left before all are taken whose answers tell of it.
 * - An operation that changes nothing is taken as soon as it fits: taking it later could not help any other.
 * - An operation of unknown outcome is taken only if the next one depends on it: else it might as well be left out.
 * - Of operations of unknown outcome that do the same, the one invoked first is taken first.
 */
import type { Operation } from './history.ts'
import { ABSENT, IMPOSSIBLE, type RegisterModel, type RegisterState } from './register-model.ts'

/** `undecided`: the search was given up after `configurationsMax`. */
export type SearchVerdict = 'linearizable' | 'not linearizable' | 'undecided'

/** An answered operation that has to be somewhere in the order. */
interface Sure {
  readonly operation: Operation
  readonly invokedAtMs: number
  readonly answeredAtMs: number
  readonly isWrite: boolean
  /** The only register in which the answer fits, when that is known beforehand. */
  readonly onlyState: RegisterState | undefined
}

/** Operations of unknown outcome that do the same, in the order of their invocation. */
interface UnsureClass {
  readonly members: readonly Operation[]
}

/** One operation that may come next. */
interface Choice {
  readonly isSure: boolean
  /** In `sure`, or in `unsure`. */
  readonly index: number
  readonly next: RegisterState
  /** When this choice has to be made at the latest, as far as answers tell; the earlier, the likelier. */
  readonly dueMs: number
  /** The value of `#end` before it is taken. */
  readonly end: number
}

/** One place in the order where there is a choice. */
interface Frame {
  readonly end: number
  /** What was taken here without a choice. */
  readonly reads: readonly number[]
  /** What was not tried yet, the next one last. */
  readonly choices: Choice[]
  made: Choice | undefined
}

/** Searches a linearization of the model's operations, which are in the order of their invocation. */
export function searchLinearization(model: RegisterModel, configurationsMax: number): SearchVerdict {
  return new Search(model, configurationsMax).verdict()
}

class Search {
  readonly #model: RegisterModel
  readonly #sure: readonly Sure[]
  readonly #unsure: readonly UnsureClass[]
  /** Which of `sure` are in the order so far. */
  readonly #taken: Uint8Array
  /** How many members of each class are in the order so far. */
  readonly #used: Uint16Array
  /** All of `sure` before this index are taken. */
  #first = 0
  /** One more than the greatest index of `sure` that is taken. */
  #end = 0
  /** For each state, how many of `sure` fit only there and are not taken; and how many of those change nothing. */
  readonly #needed: Uint32Array
  readonly #neededReads: Uint32Array
  /** For each state, the earliest answer among those of `sure` that fit only there: it has to be reached by then. */
  readonly #dueMs: Float64Array
  readonly #tried = new Set<string>()
  readonly #configurationsMax: number
  #isGivenUp = false

  constructor(model: RegisterModel, configurationsMax: number) {
    this.#model = model
    this.#configurationsMax = configurationsMax
    const sure: Sure[] = []
    const classes = new Map<string, Operation[]>()
    model.operations.forEach((operation, index) => {
      const { kind } = operation.answer
      if (kind === 'refused') return
      if (kind !== 'unknown') {
        const { invokedAtMs, answeredAtMs = Number.POSITIVE_INFINITY } = operation
        sure.push({
          operation,
          invokedAtMs,
          answeredAtMs,
          isWrite: model.isWrite(operation),
          onlyState: model.onlyState(operation),
        })
      } else if (model.isWrite(operation)) {
        const name = model.classOf(operation, index)
        const members = classes.get(name)
        if (members === undefined) classes.set(name, [operation])
        else members.push(operation)
      }
    })
    this.#sure = sure
    this.#unsure = [...classes.values()].map(members => ({ members }))
    this.#taken = new Uint8Array(sure.length)
    this.#used = new Uint16Array(this.#unsure.length)
    this.#needed = new Uint32Array(model.operations.length + 2)
    this.#neededReads = new Uint32Array(model.operations.length + 2)
    this.#dueMs = new Float64Array(model.operations.length + 2).fill(Number.POSITIVE_INFINITY)
    for (const { onlyState, answeredAtMs } of sure) {
      if (onlyState !== undefined)
        this.#dueMs[onlyState] = Math.min(this.#dueMs[onlyState] as number, answeredAtMs)
    }
    for (let index = 0; index < sure.length; index++) this.#need(index, 1)
  }

  verdict(): SearchVerdict {
    if (this.#model.conflict !== undefined) return 'not linearizable'
    if (this.#canFinish()) return 'linearizable'
    return this.#isGivenUp ? 'undecided' : 'not linearizable'
  }

  /** Depth first, with a stack of its own: a history has more operations than the call stack has room for frames. */
  #canFinish(): boolean {
    const frames: Frame[] = [this.#enter(ABSENT, false)]
    for (;;) {
      const frame = frames.at(-1)
      if (frame === undefined) return false
      if (this.#first === this.#sure.length) return true
      const choice = frame.choices.pop()
      if (choice === undefined) {
        for (const index of frame.reads) this.#untake(index)
        this.#end = frame.end
        frames.pop()
        const made = frames.at(-1)?.made
        if (made !== undefined) this.#undo(made)
      } else {
        frame.made = choice
        if (choice.isSure) this.#take(choice.index)
        else this.#used[choice.index] = (this.#used[choice.index] as number) + 1
        frames.push(this.#enter(choice.next, !choice.isSure))
      }
    }
  }

  #undo({ isSure, index, end }: Choice): void {
    if (isSure) this.#untake(index)
    else this.#used[index] = (this.#used[index] as number) - 1
    this.#end = end
  }

  /** `idle`: the last operation taken was unsure and nothing has depended on it yet. */
  #enter(state: RegisterState, idle: boolean): Frame {
    const end = this.#end
    const reads = this.#takeReads(state)
    const choices = this.#first === this.#sure.length ? [] : this.#choices(state, idle && reads.length === 0)
    return { end, reads, choices, made: undefined }
  }

  /** Takes, without a choice, all operations that fit and change nothing; returns their indexes. */
  #takeReads(state: RegisterState): number[] {
    const reads: number[] = []
    for (let found = true; found; ) {
      found = false
      const boundMs = this.#boundMs()
      for (let index = this.#first; index < this.#sure.length; index++) {
        const { operation, invokedAtMs, isWrite } = this.#sure[index] as Sure
        if (invokedAtMs > boundMs) break
        if (this.#taken[index] === 1 || isWrite) continue
        if (this.#model.step(operation, state) === IMPOSSIBLE) continue
        reads.push(index)
        this.#take(index)
        found = true
      }
    }
    return reads
  }

  /** What may be taken next and changes something, the likeliest last; nothing where that was tried before. */
  #choices(state: RegisterState, idle: boolean): Choice[] {
    const register = state % this.#model.registers
    const needed = this.#needed[register] as number
    const stays = needed > 1 || this.#neededReads[register] !== 0
    if (stays && !this.#model.hasFocus) return []
    const key = this.#configuration(state, idle)
    if (this.#tried.has(key)) return []
    if (this.#tried.size === this.#configurationsMax) {
      this.#isGivenUp = true
      return []
    }
    this.#tried.add(key)
    const boundMs = this.#boundMs()
    const choices: Choice[] = []
    const consider = (isSure: boolean, index: number, operation: Operation, onlyState?: RegisterState) => {
      const leaves = operation.action.kind !== 'forget'
      if (leaves && (isSure ? stays || (needed !== 0 && onlyState !== register) : needed !== 0)) return
      if (idle && this.#model.isBlind(operation)) return
      const next = this.#model.step(operation, state)
      // What was in the trash no more is forgotten without a change.
      if (next === IMPOSSIBLE || (next === state && !isSure)) return
      const answeredAtMs = isSure ? (operation.answeredAtMs as number) : Number.POSITIVE_INFINITY
      const dueMs = Math.min(answeredAtMs, this.#dueMs[next % this.#model.registers] as number)
      choices.push({ isSure, index, next, dueMs, end: this.#end })
    }
    for (let index = this.#first; index < this.#sure.length; index++) {
      const { operation, invokedAtMs, isWrite, onlyState } = this.#sure[index] as Sure
      if (invokedAtMs > boundMs) break
      if (this.#taken[index] === 0 && isWrite) consider(true, index, operation, onlyState)
    }
    for (let index = 0; index < this.#unsure.length; index++) {
      const operation = (this.#unsure[index] as UnsureClass).members[this.#used[index] as number]
      if (operation !== undefined && operation.invokedAtMs <= boundMs) consider(false, index, operation)
    }
    return choices.sort((a, b) => (a.dueMs === b.dueMs ? 0 : b.dueMs - a.dueMs))
  }

  /** What comes next was invoked no later than this: the earliest answer among the operations that are not taken. */
  #boundMs(): number {
    let boundMs = Number.POSITIVE_INFINITY
    for (let index = this.#first; index < this.#sure.length; index++) {
      const { invokedAtMs, answeredAtMs } = this.#sure[index] as Sure
      if (invokedAtMs > boundMs) break
      if (this.#taken[index] === 0 && answeredAtMs < boundMs) boundMs = answeredAtMs
    }
    return boundMs
  }

  #need(index: number, change: 1 | -1): void {
    const { onlyState, isWrite } = this.#sure[index] as Sure
    if (onlyState === undefined) return
    this.#needed[onlyState] = (this.#needed[onlyState] as number) + change
    if (!isWrite) this.#neededReads[onlyState] = (this.#neededReads[onlyState] as number) + change
  }

  #take(index: number): void {
    this.#taken[index] = 1
    this.#need(index, -1)
    if (index >= this.#end) this.#end = index + 1
    while (this.#taken[this.#first] === 1) this.#first++
  }

  #untake(index: number): void {
    this.#taken[index] = 0
    this.#need(index, 1)
    if (index < this.#first) this.#first = index
  }

  /** Two configurations with one name have the same future. */
  #configuration(state: RegisterState, idle: boolean): string {
    let taken = ''
    let bits = 0
    let width = 0
    for (let index = this.#first; index < this.#end; index++) {
      bits = (bits << 1) | (this.#taken[index] as number)
      if (++width === 15) {
        taken += String.fromCharCode(bits + 1)
        bits = 0
        width = 0
      }
    }
    return `${state}${idle ? '?' : '!'}${this.#first} ${this.#end} ${taken}${String.fromCharCode(bits + 1)}${String.fromCharCode(...this.#used)}`
  }
}
