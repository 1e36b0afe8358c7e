/**
 * What a history says of the trash of one path, value by value.
 *
 * The trash of a path is a set of values: what a write replaces or removes goes in, what is restored or forgotten goes out. To search
 * an order with the whole set would be dear. A history that is linearizable has an order in which each value for itself is in the trash
 * just when it should be, so one value after the other is put into focus, and is one bit beside the register.
 */
import type { Operation, Writing } from './history.ts'

/** Newer versions that a path keeps in its trash: with so many an older one may be gone by itself (replication/chain/trash.ts). */
const KEPT_FOR_SURE = 16

/** Values of one path that are put into focus, at most. */
const FOCUSES_MAX = 24

export class TrashFocus {
  readonly value: string
  /** Lists that the value is not in, and would have to be in if it was in the trash. */
  readonly #misses: ReadonlySet<Operation>
  /** Writes of the same bytes: they put nothing into the trash. */
  readonly #alike: ReadonlySet<Operation>

  constructor(value: string, operations: readonly Operation[]) {
    this.value = value
    const bytes = bytesOf(operations)
    const own = bytes.get(value)
    const isAlike = ({ action }: Operation) => {
      const restored = 'restores' in action && action.restores !== undefined
      return restored && (own === undefined || [own, undefined].includes(bytes.get(action.value)))
    }
    this.#alike = new Set(operations.filter(isAlike))
    const written = operations.find(({ action }) => 'value' in action && action.value === value)
    const isMissed = (list: Operation) =>
      written !== undefined &&
      list.action.kind === 'trash' &&
      list.answer.kind === 'ok' &&
      !list.answer.values?.includes(value) &&
      changesBetween(operations, written.invokedAtMs, list.answeredAtMs ?? 0) <= KEPT_FOR_SURE
    this.#misses = new Set(this.#alike.size > 0 ? [] : operations.filter(isMissed))
  }

  /** Whether the value is in the trash after an operation; undefined when the answer is impossible. */
  after(
    operation: Operation,
    { wasThere, isReplaced }: { readonly wasThere: boolean; readonly isReplaced: boolean },
  ): boolean | undefined {
    const { action, answer } = operation
    switch (action.kind) {
      case 'trash': {
        const isListed = answer.kind === 'ok' && answer.values?.includes(this.value) === true
        if (isListed) return wasThere || undefined
        return wasThere && this.#misses.has(operation) ? undefined : wasThere
      }
      case 'trashed':
        return action.of === this.value && answer.kind === 'ok' && !wasThere ? undefined : wasThere
      case 'forget':
        return wasThere && !action.values.includes(this.value)
      case 'remove':
        // What a move takes away stands at its destination.
        return isReplaced && action.movedTo === undefined ? true : wasThere
      case 'put':
      case 'create':
      case 'replace': {
        const isDone = answer.kind === 'ok' || answer.kind === 'unknown'
        if (isDone && action.restores === this.value) return false
        return isReplaced ? true : wasThere
      }
      default:
        return wasThere
    }
  }
}

/** The values of a path of whose place in the trash some answer tells. */
export function focusesOf(operations: readonly Operation[]): TrashFocus[] {
  const listed = new Set<string>()
  const others = new Set<string>()
  let lastListMs = Number.NEGATIVE_INFINITY
  for (const { action, answer, invokedAtMs } of operations) {
    if (answer.kind !== 'ok') continue
    if (action.kind === 'trashed') listed.add(action.of)
    if (action.kind !== 'trash') continue
    lastListMs = Math.max(lastListMs, invokedAtMs)
    for (const value of answer.values ?? []) listed.add(value)
  }
  for (const { action, answer, invokedAtMs } of operations) {
    const isWritten = 'value' in action && answer.kind === 'ok' && invokedAtMs < lastListMs
    if (isWritten && !listed.has(action.value)) others.add(action.value)
  }
  const values = [...spread([...listed], FOCUSES_MAX / 2), ...spread([...others], FOCUSES_MAX / 2)]
  return values.map(value => new TrashFocus(value, operations))
}

/** At even distances, at most so many. */
function spread<Each>(all: readonly Each[], most: number): readonly Each[] {
  if (all.length <= most) return all
  return Array.from({ length: most }, (_, index) => all[Math.floor((index * all.length) / most)] as Each)
}

/** By which value each has its bytes; without those of which the history does not say it. */
function bytesOf(operations: readonly Operation[]): Map<string, string> {
  const bytes = new Map<string, string>()
  const writings = operations.flatMap(({ action }): Writing[] => ('value' in action ? [action] : []))
  const restored = new Map(writings.map(({ value, restores }) => [value, restores]))
  const copied = new Set(writings.filter(writing => writing.copied).map(({ value }) => value))
  for (const { value } of writings) {
    let from = value
    for (let next = restored.get(from); next !== undefined && next !== value; next = restored.get(next))
      from = next
    if (!copied.has(from)) bytes.set(value, from)
  }
  return bytes
}

/** How many operations may have changed the path from one moment to another. */
function changesBetween(operations: readonly Operation[], fromMs: number, untilMs: number): number {
  return operations.filter(
    ({ action, answer, invokedAtMs, answeredAtMs }) =>
      ('value' in action || action.kind === 'remove') &&
      (answer.kind === 'ok' || answer.kind === 'unknown') &&
      invokedAtMs <= untilMs &&
      (answer.kind === 'unknown' || (answeredAtMs ?? Number.POSITIVE_INFINITY) >= fromMs),
  ).length
}
