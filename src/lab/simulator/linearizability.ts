/**
 * The verdict on a history: whether it is linearizable, path by path, and if not, a short reason.
 *
 * A history is linearizable if and only if its part for each path is (locality: Herlihy & Wing, "Linearizability: A
 * Correctness Condition for Concurrent Objects", TOPLAS 12(3), 1990), so each path is checked by itself.
 */
import { describeAction, describeAnswer, type Operation } from './history.ts'
import { type SearchVerdict, searchLinearization } from './linearization-search.ts'
import { RegisterModel } from './register-model.ts'
import { focusesOf } from './trash-focus.ts'

export interface CheckOptions {
  /**
   * Configurations that are tried for one path before the search gives up; about a million a second. A history of some
   * hundred operations with ten at a time needs less than a thousand, as a rule.
   */
  readonly configurationsMax?: number
}

/** What was found. `undecided` is a failure of the check, not of the store: the history was too wild for the limit. */
export type CheckResult =
  | { readonly ok: true }
  | {
      readonly ok: false
      readonly verdict: 'not linearizable' | 'undecided'
      readonly path: string
      /** A few lines for people: the operations concerned, in time order, and the first answer that fits nowhere. */
      readonly explanation: string
      /** The operations concerned. */
      readonly operations: readonly Operation[]
      /** The moment of the first answer that is wrong, ms; when undecided, of the last one. */
      readonly atMs: number
    }

/** Enough for every history that a sane run makes, and over in some seconds for an insane one. */
const CONFIGURATIONS_MAX = 2_000_000

/** For each try to leave an operation out of an explanation; when it is too little, the operation stays in. */
const EXPLANATION_CONFIGURATIONS_MAX = 20_000

/**
 * Checks a history that begins with no file at any path. Operations without an answer count as of unknown outcome.
 * @throws TypeError when two writes of a path have the same value, or an answer does not belong to its action.
 */
export function checkHistory(given: readonly Operation[], options: CheckOptions = {}): CheckResult {
  const operations = withMovesThatWereSeen(given)
  const configurationsMax = options.configurationsMax ?? CONFIGURATIONS_MAX
  for (const [path, ofPath] of byPath(operations)) {
    const verdict = verdictOf(ofPath, configurationsMax)
    if (verdict === 'linearizable') continue
    if (verdict === 'undecided') {
      const explanation = `path ${path}: undecided after ${configurationsMax} configurations`
      const atMs = Math.max(...ofPath.map(({ answeredAtMs }) => answeredAtMs ?? 0))
      return { ok: false, verdict, path, explanation, operations: ofPath, atMs }
    }
    return { ok: false, verdict, path, ...explain(path, ofPath, configurationsMax) }
  }
  return { ok: true }
}

/**
 * A move takes effect on both of its paths at one moment (docs/decisions/0141). So one that was not answered, whose copy
 * somebody has read, has removed its source before that read was answered.
 */
function withMovesThatWereSeen(operations: readonly Operation[]): readonly Operation[] {
  if (!operations.some(({ action }) => 'movedTo' in action)) return operations
  const seenAtMs = new Map<string, number>()
  for (const { path, action, answer, answeredAtMs } of operations) {
    if (action.kind !== 'get' || answer.kind !== 'ok' || answeredAtMs === undefined) continue
    const name = `${path} ${answer.value}`
    seenAtMs.set(name, Math.min(answeredAtMs, seenAtMs.get(name) ?? answeredAtMs))
  }
  return operations.map(operation => {
    const { action, answer, invokedAtMs } = operation
    if (action.kind !== 'remove' || action.movedTo === undefined || answer.kind !== 'unknown')
      return operation
    const atMs = seenAtMs.get(`${action.movedTo.path} ${action.movedTo.value}`)
    if (atMs === undefined) return operation
    // Who reads a copy before it was asked for is caught at the destination.
    return { ...operation, answer: { kind: 'ok' }, answeredAtMs: Math.max(atMs, invokedAtMs) }
  })
}

/** The paths in order of their first operation; each one's operations in the order of their invocation. */
function byPath(operations: readonly Operation[]): Map<string, Operation[]> {
  const paths = new Map<string, Operation[]>()
  for (const operation of [...operations].sort((a, b) => a.invokedAtMs - b.invokedAtMs)) {
    const ofPath = paths.get(operation.path)
    if (ofPath === undefined) paths.set(operation.path, [operation])
    else ofPath.push(operation)
  }
  return paths
}

function verdictOf(operations: readonly Operation[], configurationsMax: number): SearchVerdict {
  const verdict = searchLinearization(new RegisterModel(operations), configurationsMax)
  if (verdict !== 'linearizable') return verdict
  for (const focus of focusesOf(operations)) {
    const ofTrash = searchLinearization(new RegisterModel(operations, focus), configurationsMax)
    if (ofTrash !== 'linearizable') return ofTrash
  }
  return verdict
}

/** The history as it was known at a moment: what was answered later had no answer yet. */
function untilMoment(operations: readonly Operation[], atMs: number): Operation[] {
  return operations
    .filter(operation => operation.invokedAtMs <= atMs)
    .map(operation =>
      operation.answeredAtMs !== undefined && operation.answeredAtMs > atMs
        ? unanswered(operation)
        : operation,
    )
}

function unanswered(operation: Operation): Operation {
  return { ...operation, answeredAtMs: undefined, answer: { kind: 'unknown' } }
}

/**
 * The moment of the first answer that made the history wrong. Every beginning of a linearizable history is
 * linearizable, so that halving finds it.
 */
function firstWrongMoment(operations: readonly Operation[], configurationsMax: number): number {
  const moments = operations
    .flatMap(({ answeredAtMs, answer }) =>
      answeredAtMs === undefined || answer.kind === 'unknown' || answer.kind === 'refused'
        ? []
        : [answeredAtMs],
    )
    .sort((a, b) => a - b)
  let good = -1
  let wrong = moments.length - 1
  while (wrong - good > 1) {
    const middle = (good + wrong) >> 1
    const verdict = verdictOf(untilMoment(operations, moments[middle] as number), configurationsMax)
    if (verdict === 'not linearizable') wrong = middle
    else good = middle
  }
  return moments[wrong] as number
}

/**
 * Leaves out what the contradiction does not need. Only steps that make the history easier to explain are taken: an
 * operation that changed nothing is dropped, the answer of one that did is forgotten. So what remains is wrong in itself.
 */
function narrow(operations: readonly Operation[], last: Operation): Operation[] {
  const isChange = ({ action, answer }: Operation) =>
    answer.kind === 'ok' && !['get', 'exists', 'trash', 'trashed'].includes(action.kind)
  const open = operations.filter(({ id, answer }) => id !== last.id && answer.kind !== 'unknown').reverse()
  const withoutReads = narrowBy(
    operations,
    open.filter(operation => !isChange(operation)),
    () => [],
  )
  return narrowBy(withoutReads, open.filter(isChange), operation => [unanswered(operation)])
}

/** Puts `easier` in place of as many of the candidates as can be: in large groups at first, then in smaller ones. */
function narrowBy(
  operations: readonly Operation[],
  candidates: readonly Operation[],
  easier: (operation: Operation) => Operation[],
): Operation[] {
  let kept = [...operations]
  const tryGroup = (group: readonly Operation[]): void => {
    if (group.length === 0) return
    const ids = new Set(group.map(({ id }) => id))
    const without = kept.flatMap(operation => (ids.has(operation.id) ? easier(operation) : [operation]))
    if (verdictOf(without, EXPLANATION_CONFIGURATIONS_MAX) === 'not linearizable') {
      kept = without
    } else if (group.length > 1) {
      const half = group.length >> 1
      tryGroup(group.slice(0, half))
      tryGroup(group.slice(half))
    }
  }
  tryGroup(candidates)
  return kept
}

function explain(
  path: string,
  operations: readonly Operation[],
  configurationsMax: number,
): { explanation: string; operations: Operation[]; atMs: number } {
  const moment = firstWrongMoment(operations, configurationsMax)
  const beginning = untilMoment(operations, moment)
  const last = beginning.find(operation => operation.answeredAtMs === moment) as Operation
  const narrowed = narrow(beginning, last)
  const conflict = new RegisterModel(narrowed).conflict
  const needed = narrowed.filter(({ answer }) => answer.kind !== 'unknown' && answer.kind !== 'refused')
  const named = new Set(needed.flatMap(namesIn))
  const concerned = beginning.filter(
    ({ id, action }) =>
      needed.some(other => other.id === id) || ('value' in action && named.has(action.value)),
  )
  const others = operations.length - concerned.length
  const reason =
    conflict === undefined ? 'no order of these operations explains their answers' : `${conflict.reason}`
  const lines = [`path ${path}: ${reason} (${others} other operations of this path do not help)`]
  lines.push(...table(concerned, last))
  return { explanation: lines.join('\n'), operations: concerned, atMs: moment }
}

/** The values and etags that an operation speaks of. */
function namesIn({ action, answer }: Operation): string[] {
  const names: string[] = 'value' in action ? [action.value] : []
  if (action.kind === 'trashed') names.push(action.of)
  if (action.kind === 'forget') names.push(...action.values)
  if (answer.kind === 'ok' && answer.values !== undefined) names.push(...answer.values)
  if ('etag' in action && action.etag !== undefined) names.push(action.etag)
  if (answer.kind === 'ok' && answer.value !== undefined) names.push(answer.value)
  if (answer.kind === 'ok' && answer.etag !== undefined) names.push(answer.etag)
  return names
}

function table(operations: readonly Operation[], last: Operation): string[] {
  const rows = operations.map(operation => [
    operation.invokedAtMs.toFixed(3),
    operation.answeredAtMs === undefined ? '' : operation.answeredAtMs.toFixed(3),
    operation.client,
    describeAction(operation.action),
    describeAnswer(operation.answer) + (operation.id === last.id ? '   <- fits nowhere' : ''),
  ])
  const cells = [['from ms', 'to ms', 'client', 'operation', 'answer'], ...rows]
  const widths = [0, 1, 2, 3].map(column => Math.max(...cells.map(row => (row[column] as string).length)))
  return cells.map(row =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}
