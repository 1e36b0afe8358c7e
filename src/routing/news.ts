/**
 * The news that a node still has to tell: joins, departures, deaths and refutations that it learned as news.
 *
 * As in SWIM's infection-style dissemination (Das, Gupta & Motivala, DSN 2002, section 4.1) each item is told a number
 * of times that grows with the logarithm of the network, and what was told least goes first; of equals the latest.
 */

/** Items that wait to be told. What was told most goes first: it has spread already. */
export const NEWS_MAX = 1024

export class News<Item> {
  /** How often each item was told. */
  readonly #told = new Map<Item, number>()
  /** The items by how often they were told, the latest last; an entry whose count has moved on is void. */
  readonly #stacks: Item[][] = []

  get size(): number {
    return this.#told.size
  }

  /**
   * Adds an item, to be told before the others that were told as often; one that is there already starts again.
   * @param told how often it counts as told already: 0 for an event that just happened.
   */
  add(member: Item, told = 0): void {
    this.#put(member, told)
    if (this.#told.size > NEWS_MAX) this.#dropMostTold()
  }

  /**
   * Somebody told an item that this node knows: it has spread that far, as if it had been told once more (the feedback
   * of rumor mongering: Demers et al., PODC 1987, section 1.4).
   */
  heardAgain(member: Item): void {
    const told = this.#told.get(member)
    if (told !== undefined) this.#put(member, told + 1)
  }

  /** An item is no news any more. */
  drop(member: Item): void {
    this.#told.delete(member)
  }

  /**
   * Takes up to `count` items to be told now, the least told first, and counts them as told once more.
   * @param times how often an item is told before it is no news any more.
   * @param skip items that this listener need not be told; they keep their place.
   */
  take(count: number, times: number, skip: (member: Item) => boolean): Item[] {
    this.#dropTold(times)
    const taken: [Item, number][] = []
    const skipped: [Item, number][] = []
    for (let told = 0; told < this.#stacks.length && taken.length < count; told++) {
      const stack = this.#stacks[told] as Item[]
      while (stack.length > 0 && taken.length < count) {
        const member = stack.pop() as Item
        if (this.#told.get(member) !== told) continue
        this.#told.delete(member)
        ;(skip(member) ? skipped : taken).push([member, told])
      }
    }
    for (const [member, told] of skipped.toReversed()) this.#put(member, told)
    for (const [member, told] of taken.toReversed()) if (told + 1 < times) this.#put(member, told + 1)
    return taken.map(([member]) => member)
  }

  #put(member: Item, told: number): void {
    while (this.#stacks.length <= told) this.#stacks.push([])
    this.#told.set(member, told)
    const stack = this.#stacks[told] as Item[]
    stack.push(member)
    if (stack.length > 2 * NEWS_MAX) this.#stacks[told] = this.#withoutVoid(stack, told)
  }

  #withoutVoid(stack: readonly Item[], told: number): Item[] {
    const latest = new Set<Item>()
    for (const member of stack.toReversed()) if (this.#told.get(member) === told) latest.add(member)
    return [...latest].reverse()
  }

  /** What was told often enough, or heard so often that it need not be told, is no news any more. */
  #dropTold(times: number): void {
    for (let told = times; told < this.#stacks.length; told++)
      for (const member of this.#stacks[told] as Item[])
        if (this.#told.get(member) === told) this.#told.delete(member)
    this.#stacks.length = Math.min(this.#stacks.length, times)
  }

  #dropMostTold(): void {
    for (let told = this.#stacks.length - 1; told >= 0; told--) {
      const stack = this.#stacks[told] as Item[]
      for (let oldest = stack.shift(); oldest !== undefined; oldest = stack.shift()) {
        if (this.#told.get(oldest) !== told) continue
        this.#told.delete(oldest)
        return
      }
    }
  }
}
