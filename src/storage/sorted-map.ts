/**
 * A map whose keys can be walked in order while it changes; the memory version of what LMDB does on disk.
 */

/** Keys are compared by their UTF-16 code units: use hexadecimal digits, or `byteOrderKey` for text. */
export class SortedMap<V> {
  readonly #values = new Map<string, V>()
  readonly #keys: string[] = []

  get(key: string): V | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#indexFrom(key), 0, key)
    this.#values.set(key, value)
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.#indexFrom(key), 1)
  }

  /** The entries from `first` on, in order. What changes ahead of the walk is seen by it. */
  *from(first: string): Generator<[string, V]> {
    let index = this.#indexFrom(first)
    for (let key = this.#keys[index]; key !== undefined; key = this.#keys[index]) {
      yield [key, this.#values.get(key) as V]
      index = this.#keys[index] === key ? index + 1 : this.#indexFrom(`${key}\0`)
    }
  }

  /** The place of the first key that is `key` or comes after it. */
  #indexFrom(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] as string) < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A key that sorts text by its UTF-8 bytes: one character for each byte. */
export function byteOrderKey(text: string): string {
  return Buffer.from(text).toString('latin1')
}
