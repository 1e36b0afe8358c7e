/**
 * Which range of the ring a client believes a key to lie in, and who answers there. A belief that is wrong costs a
 * step from node to node, never a wrong answer: every node serves every path.
 */
import { addressOfTarget, isLoopback, parseTarget } from '../ring/address.ts'
import { type Arc, arcContains } from '../ring/arc.ts'
import type { Identifier } from '../ring/identifier.ts'
import { parseIdentifier } from '../ring/identifier.ts'

/** One range (lo, hi], as a node told it. */
export interface KnownRange extends Arc {
  /** Grows with each change of who answers. */
  readonly epoch: number
  /** Where the replicas are reached, head first: `http://host:port`. */
  readonly origins: readonly string[]
}

/** Ranges kept: a network of 500 nodes with 8 places each; about 1 MiB with three replicas. */
export const RANGES_MAX = 4096

export class RangeTable {
  /** Disjoint, ordered by `hi`: the first one that does not end before a position is the only one that can hold it. */
  #ranges: KnownRange[] = []
  /** In the order in which they were learned, to let the oldest go. */
  readonly #learned = new Set<KnownRange>()
  readonly #max: number

  constructor(init: { readonly max?: number } = {}) {
    this.#max = init.max ?? RANGES_MAX
  }

  get size(): number {
    return this.#ranges.length
  }

  covering(key: Identifier): KnownRange | undefined {
    // Past the last end, only a range that wraps around zero is left, and its end is the first.
    const range = this.#ranges[this.#firstReaching(key)] ?? this.#ranges[0]
    return range !== undefined && arcContains(range, key) ? range : undefined
  }

  /** Takes a range in, in the place of all that it overlaps; when one of those is newer, it is left out instead. */
  learn(range: KnownRange): void {
    const overlapped = this.#ranges.filter(other => overlap(other, range))
    if (overlapped.some(other => other.epoch > range.epoch)) return
    for (const other of overlapped) this.forget(other)
    this.#ranges.splice(this.#firstReaching(range.hi), 0, range)
    this.#learned.add(range)
    const [oldest] = this.#learned
    if (oldest !== undefined && this.size > this.#max) this.forget(oldest)
  }

  forget(range: KnownRange): void {
    this.#ranges = this.#ranges.filter(other => other !== range)
    this.#learned.delete(range)
  }

  clear(): void {
    this.#ranges = []
    this.#learned.clear()
  }

  /** Index of the first range whose end is not before the position. */
  #firstReaching(position: Identifier): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ranges[middle] as KnownRange).hi < position) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Two arcs that share a position share the end that comes first after it. */
function overlap(a: Arc, b: Arc): boolean {
  return arcContains(a, b.hi) || arcContains(b, a.hi)
}

/** Replicas of one range; the most that a network can have. */
const REPLICAS_MAX = 15

/**
 * The range that a field `LO HI EPOCH ADDRESS...` says, with addresses under the scheme of the node that the user named:
 * what began with TLS goes on with TLS. Undefined when it is malformed, or when nobody it names may be asked: a node
 * elsewhere that says it is on loopback means its own machine.
 */
export function toldRange(field: string, named: URL): KnownRange | undefined {
  const [lo = '', hi = '', epoch = '', ...addresses] = field.split(' ')
  if (!/^\d{1,15}$/.test(epoch) || addresses.length > REPLICAS_MAX) return undefined
  const origins = addresses
    .map(address => originOfAddress(address, named))
    .filter(origin => origin !== undefined)
  if (origins.length === 0) return undefined
  try {
    return { lo: parseIdentifier(lo), hi: parseIdentifier(hi), epoch: Number(epoch), origins }
  } catch {
    return undefined
  }
}

function originOfAddress(address: string, named: URL): string | undefined {
  const target = parseTarget(address)
  if (target === undefined || !address.includes(':')) return undefined
  if (isLoopbackName(target.host) && !isLoopbackName(named.hostname)) return undefined
  return new URL(`${named.protocol}//${addressOfTarget(target)}`).origin
}

function isLoopbackName(host: string): boolean {
  return isLoopback(host) || host.endsWith('.localhost')
}
