/**
 * Doing the same with many files: several at once, a failure of one does not end the others.
 */
import { InvalidArgumentError } from 'commander'

/** Files in flight at once; each holds one connection and about 128 KiB. */
export const PARALLEL_DEFAULT = 8

/** More connections from one command line gain nothing and crowd others out. */
export const PARALLEL_MAX = 64

/** Small files in flight at once: each mostly waits for the disks of its replicas, which take many in one flush. */
export const SMALL_AT_ONCE = 64

/**
 * Calls `work` for every item, with up to `parallel` calls at once, in the order in which the items come. A rejected
 * call is given to `failed`; an error of the source itself, or an aborted signal, ends all.
 */
export async function forEachAtOnce<T>(
  items: Iterable<T> | AsyncIterable<T>,
  init: { readonly parallel: number; readonly signal: AbortSignal },
  work: (item: T) => Promise<void>,
  failed: (item: T, error: unknown) => unknown,
): Promise<void> {
  const source = iterate(items)
  const worker = async () => {
    for (;;) {
      init.signal.throwIfAborted()
      const next = await source.next()
      if (next.done) return
      try {
        await work(next.value)
      } catch (error) {
        init.signal.throwIfAborted()
        await failed(next.value, error)
      }
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: init.parallel }, worker))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/** Lets up to `count` calls run at once; the others wait for their turn, in order. */
export function limited(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async work => {
    if (running < count) running += 1
    else await new Promise<void>(resolve => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}

/** commander's parser of `--parallel`. */
export function parseParallel(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= PARALLEL_MAX) return value
  throw new InvalidArgumentError(`It is a number from 1 to ${PARALLEL_MAX}.`)
}

/** A generator answers calls of next() one after the other, so that workers can share it. */
async function* iterate<T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  yield* items
}
