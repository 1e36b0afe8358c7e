/**
 * The simulator's randomness: everything random in a run comes from one seed through here.
 *
 * The generator is xoshiro128** (Blackman & Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47(4),
 * 2021), which needs only 32-bit integers. Its state is filled by SplitMix (Steele, Lea & Flood, "Fast Splittable
 * Pseudorandom Number Generators", OOPSLA 2014) with the 32-bit finalizer of MurmurHash3. Not for secrets.
 */
import type { Randomness } from '../../env.ts'

/** Four 32-bit words, not all zero. */
type State = Uint32Array

const TWO_TO_32 = 2 ** 32

/** The next 32 bits of xoshiro128**, from 0 to 2^32 - 1; changes `state`. */
export function xoshiro128StarStar(state: State): number {
  const [s0, s1, s2, s3] = state as unknown as [number, number, number, number]
  const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0
  const mixed2 = s2 ^ s0
  const mixed3 = s3 ^ s1
  state[0] = s0 ^ mixed3
  state[1] = s1 ^ mixed2
  state[2] = mixed2 ^ (s1 << 9)
  state[3] = rotateLeft(mixed3, 11)
  return result
}

/** A repeatable source of random choices. */
export class SeededRandom implements Randomness {
  readonly #seed: number
  readonly #state: State

  /** @param seed an integer from 0 to 2^53 - 1. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new TypeError(`A seed is an integer from 0 on, not ${seed}.`)
    this.#seed = seed
    this.#state = expandSeed(seed)
  }

  /** From 0 to 2^32 - 1. */
  next32(): number {
    return xoshiro128StarStar(this.#state)
  }

  /** From 0 to below 1, with 32 random bits. */
  fraction(): number {
    return this.next32() / TWO_TO_32
  }

  /** From `min` to below `max`, any number between. */
  between(min: number, max: number): number {
    return min + this.fraction() * (max - min)
  }

  /** An integer, `min` and `max` included. Some values are likelier by up to (max - min) / 2^32, which is no matter here. */
  int(min: number, max: number): number {
    if (!(max >= min) || max - min >= TWO_TO_32) throw new TypeError(`No range: ${min} to ${max}.`)
    return min + Math.floor((this.next32() / TWO_TO_32) * (max - min + 1))
  }

  /** True with this probability; draws once whatever the probability, so that a changed setting shifts nothing else. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** One of the items. An empty list is a TypeError. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new TypeError('Nothing to pick from.')
    return items[this.int(0, items.length - 1)] as T
  }

  /** The items in a random order, as a new list (Fisher & Yates, in Durstenfeld's form). */
  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items]
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.int(0, last)
      const item = result[last] as T
      result[last] = result[other] as T
      result[other] = item
    }
    return result
  }

  /**
   * An own source that depends on this one's seed and on `name`, not on what was drawn before: a network that draws
   * more does not change what the disks do. The same name gives the same source again.
   */
  fork(name: string): SeededRandom {
    let high = Math.floor(this.#seed / TWO_TO_32)
    let low = this.#seed >>> 0
    for (let index = 0; index < name.length; index++) {
      low = finalize(low ^ name.charCodeAt(index))
      high = finalize(high ^ low)
    }
    return new SeededRandom((high >>> 11) * TWO_TO_32 + finalize(low ^ name.length))
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let index = 0; index < length; index++) bytes[index] = this.next32() >>> 24
    return bytes
  }
}

function expandSeed(seed: number): State {
  const state = new Uint32Array(4)
  let counter = finalize(seed >>> 0) ^ Math.floor(seed / TWO_TO_32)
  for (let word = 0; word < 4; word++) {
    counter = (counter + 0x9e3779b9) | 0
    state[word] = finalize(counter)
  }
  if (state.every(word => word === 0)) state[0] = 1
  return state
}

/** The 32-bit finalizer of MurmurHash3: a bijection in which every bit of the input touches every bit of the output. */
function finalize(word: number): number {
  let mixed = word
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
