/**
 * Owns the order of those who want the same thing: whoever asks for a set of names goes when everyone who asked
 * before for one of them has finished. Names are taken all at once, so that no two can wait for each other.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** Runs `then` when its turn has come. */
  async take<T>(names: readonly string[], then: () => Promise<T>): Promise<T> {
    const before = names.flatMap(name => this.#last.get(name) ?? [])
    let finish: () => void = () => undefined
    const mine = new Promise<void>(resolve => {
      finish = resolve
    })
    for (const name of names) this.#last.set(name, mine)
    try {
      if (before.length > 0) await Promise.all(before)
      return await then()
    } finally {
      for (const name of names) if (this.#last.get(name) === mine) this.#last.delete(name)
      finish()
    }
  }

  /** True while someone has this name or waits for it. */
  taken(name: string): boolean {
    return this.#last.has(name)
  }

  /** Resolves when everyone who has asked so far has finished. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values())
  }
}
