/**
 * The reading of several streams of words as one, each word as it comes; a stream that nobody reads from waits.
 */

/** A word of one of them, or why that one has ended early. */
export interface MergedWord<Key, Word> {
  readonly key: Key
  readonly word?: Word
  readonly error?: unknown
}

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
