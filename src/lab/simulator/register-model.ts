/**
 * What one path does when nothing goes wrong: the sequential register that a history is compared with.
 *
 * A state is a number, so that it is cheap to compare and to remember: which write gave the path its value.
 */
import type { Answer, Operation } from './history.ts'
import type { TrashFocus } from './trash-focus.ts'

/** Nothing stands at the path. */
export const ABSENT = 0

/** `step` returns this when the answer is impossible in the state. */
export const IMPOSSIBLE = -1

/**
 * ABSENT; or 1 + the index of the writing operation; or the model's `unseen`. Of a model with a focus so much more as it has
 * registers while the value in focus is in the trash.
 */
export type RegisterState = number

/** Answers that no order can explain: every value is written once, and one etag names one version for good. */
export interface Conflict {
  readonly reason: string
  readonly operations: readonly Operation[]
}

/** Actions that change nothing. */
const READS: ReadonlySet<Operation['action']['kind']> = new Set(['get', 'exists', 'trash', 'trashed'])

/** The answers that each action can be told when it is known what it did. */
const POSSIBLE_ANSWERS: Readonly<Record<Operation['action']['kind'], readonly Answer['kind'][]>> = {
  get: ['ok', 'FILE_NOT_FOUND'],
  exists: ['ok', 'FILE_NOT_FOUND'],
  put: ['ok'],
  create: ['ok', 'FILE_EXISTS'],
  replace: ['ok', 'PRECONDITION_FAILED', 'FILE_NOT_FOUND'],
  remove: ['ok', 'FILE_NOT_FOUND', 'PRECONDITION_FAILED'],
  trash: ['ok'],
  trashed: ['ok'],
  forget: ['ok'],
}

/**
 * The register of one path, for one history of it, and whether one value of the path, the one in focus, is in its trash. A history
 * is explained when it is so for each value in focus: the others need not be known for that.
 */
export class RegisterModel {
  readonly operations: readonly Operation[]
  /** How many registers there are: states that differ by this differ in the trash. */
  readonly registers: number
  /** The state after any write of a value that no answer tells of: all of these are alike to every operation. */
  readonly unseen: RegisterState
  /** Set when the answers are wrong in any order. */
  readonly conflict: Conflict | undefined
  readonly #stateOfValue = new Map<string, RegisterState>()
  readonly #etagOfState = new Map<RegisterState, { etag: string; from: Operation }>()
  readonly #stateOfEtag = new Map<string, { state: RegisterState; from: Operation }>()
  readonly #seenValues = new Set<string>()
  readonly #focus: TrashFocus | undefined

  /** @throws TypeError when two writes have one value, or an answer does not belong to its action. */
  constructor(operations: readonly Operation[], focus?: TrashFocus) {
    this.operations = operations
    this.unseen = operations.length + 1
    this.registers = operations.length + 2
    this.#focus = focus
    if (focus !== undefined) this.#seenValues.add(focus.value)
    for (const operation of operations) {
      assertAnswerFits(operation)
      const { kind, value } = operation.answer as Extract<Answer, { kind: 'ok' }>
      if (kind === 'ok' && operation.action.kind === 'get') this.#seenValues.add(value as string)
    }
    operations.forEach((operation, index) => {
      if (!('value' in operation.action)) return
      const { value } = operation.action
      if (this.#stateOfValue.has(value)) throw new TypeError(`Two writes have the value ${value}.`)
      const isSeen = operation.answer.kind === 'ok' || this.#seenValues.has(value)
      this.#stateOfValue.set(value, isSeen ? index + 1 : this.unseen)
    })
    this.conflict = this.#findConflict()
  }

  get hasFocus(): boolean {
    return this.#focus !== undefined
  }

  /** The state after the operation, or IMPOSSIBLE. An unknown outcome counts as an effect: one without needs no step. */
  step(operation: Operation, state: RegisterState): RegisterState {
    const focus = this.#focus
    if (focus === undefined) return this.#stepRegister(operation, state)
    const register = state % this.registers
    const next = this.#stepRegister(operation, register)
    if (next === IMPOSSIBLE) return IMPOSSIBLE
    const isThere = focus.after(operation, {
      wasThere: state >= this.registers,
      isReplaced: next !== register && register === this.#stateOfValue.get(focus.value),
    })
    if (isThere === undefined) return IMPOSSIBLE
    return isThere ? next + this.registers : next
  }

  #stepRegister(operation: Operation, state: RegisterState): RegisterState {
    const { action, answer } = operation
    const isTaken = answer.kind === 'ok' || answer.kind === 'unknown'
    switch (action.kind) {
      case 'get':
        if (answer.kind === 'FILE_NOT_FOUND') return state === ABSENT ? state : IMPOSSIBLE
        return state !== ABSENT && this.#stateOfValue.get((answer as { value: string }).value) === state
          ? state
          : IMPOSSIBLE
      case 'exists':
        if ((answer.kind === 'ok') !== (state !== ABSENT)) return IMPOSSIBLE
        return answer.kind === 'ok' && this.#matches(answer.etag, state) === 'no' ? IMPOSSIBLE : state
      case 'put':
        if (answer.kind === 'ok' && answer.created !== undefined && answer.created !== (state === ABSENT)) {
          return IMPOSSIBLE
        }
        return this.#stateOfValue.get(action.value) as RegisterState
      case 'create':
        if (isTaken)
          return state === ABSENT ? (this.#stateOfValue.get(action.value) as RegisterState) : IMPOSSIBLE
        return state === ABSENT ? IMPOSSIBLE : state
      case 'replace':
        if (isTaken) {
          return this.#matches(action.etag, state) === 'no'
            ? IMPOSSIBLE
            : (this.#stateOfValue.get(action.value) as RegisterState)
        }
        if (answer.kind === 'FILE_NOT_FOUND') return state === ABSENT ? state : IMPOSSIBLE
        return this.#matches(action.etag, state) === 'yes' ? IMPOSSIBLE : state
      case 'remove':
        if (answer.kind === 'FILE_NOT_FOUND') return state === ABSENT ? state : IMPOSSIBLE
        if (isTaken)
          return state !== ABSENT && this.#matches(action.etag, state) !== 'no' ? ABSENT : IMPOSSIBLE
        return this.#matches(action.etag, state) === 'yes' ? IMPOSSIBLE : state
      case 'trash':
      case 'trashed':
      case 'forget':
        return state
    }
  }

  /** Whether the operation, when it takes effect, can change the state. */
  isWrite(operation: Operation): boolean {
    const { action, answer } = operation
    if (answer.kind !== 'ok' && answer.kind !== 'unknown') return false
    if (action.kind === 'forget')
      return this.#focus !== undefined && action.values.includes(this.#focus.value)
    return !READS.has(action.kind)
  }

  /** Whether what came before makes no difference to the operation. */
  isBlind(operation: Operation): boolean {
    const { action, answer } = operation
    // What a write replaces goes into the trash.
    if (this.#focus !== undefined) return false
    return action.kind === 'put' && !(answer.kind === 'ok' && answer.created !== undefined)
  }

  /**
   * The register in which the operation was, when its answer says so: every value is written once, so a write that leaves
   * the state can come only after it.
   */
  onlyState({ action, answer }: Operation): RegisterState | undefined {
    if (answer.kind !== 'ok') return undefined
    if (action.kind === 'get') return this.#stateOfValue.get(answer.value as string)
    return 'etag' in action && action.etag !== undefined
      ? this.#stateOfEtag.get(action.etag)?.state
      : undefined
  }

  /** Operations of unknown outcome with the same class do the same to every later operation. */
  classOf(operation: Operation, index: number): string {
    const { action } = operation
    if ('value' in action && this.#stateOfValue.get(action.value) !== this.unseen) return `${index}`
    const movedOrRestored = 'restores' in action ? action.restores : 'movedTo' in action && 'moved'
    return `${action.kind} ${'etag' in action ? action.etag : ''} ${this.#focus && movedOrRestored}`
  }

  /**
   * Whether an If-Match holds. An etag of which no answer says what it names may be that of any value whose etag nobody
   * was told; both `ok` and PRECONDITION_FAILED are possible then.
   */
  #matches(etag: string | undefined, state: RegisterState): 'yes' | 'no' | 'maybe' {
    if (etag === undefined) return 'yes'
    if (state === ABSENT) return 'no'
    const named = this.#stateOfEtag.get(etag)
    if (named !== undefined) return named.state === state ? 'yes' : 'no'
    return this.#etagOfState.has(state) ? 'no' : 'maybe'
  }

  #findConflict(): Conflict | undefined {
    for (const operation of this.operations) {
      const { action, answer } = operation
      if (answer.kind !== 'ok') continue
      const unknown = answer.values?.find(listed => !this.#stateOfValue.has(listed))
      if (unknown !== undefined) return { reason: `nobody wrote ${unknown}`, operations: [operation] }
      const value = action.kind === 'get' ? answer.value : 'value' in action ? action.value : undefined
      if (value === undefined) continue
      const state = this.#stateOfValue.get(value)
      if (state === undefined) return { reason: `nobody wrote ${value}`, operations: [operation] }
      const { etag } = answer
      if (etag === undefined) continue
      const other = this.#etagOfState.get(state)
      if (other !== undefined && other.etag !== etag) {
        return {
          reason: `one version has two etags, ${other.etag} and ${etag}`,
          operations: [other.from, operation],
        }
      }
      const named = this.#stateOfEtag.get(etag)
      if (named !== undefined && named.state !== state) {
        return { reason: `the etag ${etag} names two versions`, operations: [named.from, operation] }
      }
      this.#etagOfState.set(state, { etag, from: other?.from ?? operation })
      this.#stateOfEtag.set(etag, { state, from: named?.from ?? operation })
    }
    return undefined
  }
}

function assertAnswerFits({ id, action, answer }: Operation): void {
  if (answer.kind === 'refused' || answer.kind === 'unknown') return
  if (!POSSIBLE_ANSWERS[action.kind].includes(answer.kind)) {
    throw new TypeError(`Operation ${id}: ${answer.kind} is no answer to ${action.kind}.`)
  }
  if (action.kind === 'get' && answer.kind === 'ok' && answer.value === undefined) {
    throw new TypeError(`Operation ${id}: a get is answered with a value.`)
  }
}
