/**
 * The checked blocks of bodies from other nodes that wait for their readers: a bounded number of them. When one more needs
 * room, the reader that has taken nothing for longest loses its block.
 */
export class BlockShelf {
  readonly #blocksMax: number
  /** By who holds one, in the order in which they took something last; the value is told that its block is lost. */
  readonly #holders = new Map<object, () => void>()

  constructor(init: { readonly blocksMax: number }) {
    this.#blocksMax = init.blocksMax
  }

  /** `holder` keeps a block from now on, and `lose` is called when it may no longer. */
  keep(holder: object, lose: () => void): void {
    this.giveUp(holder)
    for (const [other, loseThat] of this.#holders) {
      if (this.#holders.size < this.#blocksMax) break
      this.#holders.delete(other)
      loseThat()
    }
    this.#holders.set(holder, lose)
  }

  /** `holder` has taken something of its block. */
  touch(holder: object): void {
    const lose = this.#holders.get(holder)
    if (lose === undefined) return
    this.#holders.delete(holder)
    this.#holders.set(holder, lose)
  }

  /** `holder` keeps no block any more. */
  giveUp(holder: object): void {
    this.#holders.delete(holder)
  }
}
