/**
 * Small pairs that spread by gossip and go with their time to live. They are hints in a namespace of their own: no disk keeps
 * them, no read is confirmed, and what has to last belongs into a file.
 *
 * A pair travels with the time that it has left, counted at each node by its own clock that never jumps, so that no clock
 * of another node matters. A node takes each version of a pair once and only ever shortens its time: so no pair outlives its
 * TTL by more than it was under way.
 */
import {
  PAIR_KEY_BYTES_MAX,
  PAIR_VALUE_BYTES_MAX,
  PAIR_VERSION_MAX,
  PAIRS_TOLD_MAX,
  type Pair,
} from '../../calls/gossip-message.ts'
import { StoreError } from '../../errors.ts'
import type { NodeId } from '../../ring/identifier.ts'
import { News } from '../../routing/news.ts'
import { GOSSIP_FIELDS } from './settings.ts'

/** Pairs at one node: with the bounds above less than 200 KiB. */
export const PAIRS_MAX = 256

/** Pairs that have gone are known for so long, ms: longer than a message is under way. */
const GONE_KEPT_MS = 60_000

/** What nobody counts up to. Whoever took a greater one in could set nothing more that others would take. */
const VERSION_HEARD_MAX = PAIR_VERSION_MAX / 2

interface Kept {
  readonly value: string
  readonly version: number
  readonly owner: NodeId
  readonly untilMs: number
}

export class Pairs {
  readonly #self: NodeId
  readonly #kept = new Map<string, Kept>()
  readonly #news = new News<string>()
  /** The greatest version seen: what is set next is newer than all of it. */
  #version = 0
  /** Where the next message goes on among those that are no news. */
  #next = 0
  /** Pairs of others for which there was no room, or of a version that nobody counts up to. */
  turnedAway = 0

  constructor(init: { readonly self: NodeId }) {
    this.#self = init.self
  }

  /** Pairs that have not gone. */
  size(nowMs: number): number {
    return this.all(nowMs).length
  }

  /** @throws StoreError INVALID_REQUEST, FILE_TOO_LARGE, OVERLOADED, each with a sentence that names the fault. */
  set(key: string, value: string, ttlMs: number, nowMs: number): Pair {
    const fault = faultOf(key, value, ttlMs)
    if (fault !== undefined) throw fault
    if (!this.#isThere(key, nowMs) && this.size(nowMs) >= PAIRS_MAX)
      throw new StoreError('OVERLOADED', `There are ${PAIRS_MAX} pairs already; wait until one has gone.`, {
        retryAfterSeconds: 10,
      })
    const pair = { key, value, version: ++this.#version, owner: this.#self, leftMs: ttlMs }
    this.#put(pair, nowMs)
    return pair
  }

  /** The value of a key with what it has left, ms; undefined when it is not there. */
  get(key: string, nowMs: number): Pair | undefined {
    const kept = this.#kept.get(key)
    return kept === undefined || kept.untilMs <= nowMs ? undefined : pairOf(key, kept, nowMs)
  }

  /** All pairs, in the order of their keys. */
  all(nowMs: number): Pair[] {
    const there = [...this.#kept].filter(([, { untilMs }]) => untilMs > nowMs)
    return there.map(([key, kept]) => pairOf(key, kept, nowMs)).sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** Takes in what another node said. @param delayMs how long it was under way at the most. */
  hear(pair: Pair, nowMs: number, delayMs: number): void {
    if (pair.version > VERSION_HEARD_MAX) {
      this.turnedAway++
      return
    }
    const leftMs = Math.min(pair.leftMs - delayMs, GOSSIP_FIELDS.ttl.max)
    this.#version = Math.max(this.#version, pair.version)
    const kept = this.#kept.get(pair.key)
    const order = kept === undefined ? 1 : pair.version - kept.version || compare(pair.owner, kept.owner)
    if (order < 0) return
    if (kept !== undefined && order === 0) {
      this.#news.heardAgain(pair.key)
      if (nowMs + leftMs < kept.untilMs) this.#kept.set(pair.key, { ...kept, untilMs: nowMs + leftMs })
      return
    }
    if (leftMs <= 0) return
    if (!this.#isThere(pair.key, nowMs) && this.size(nowMs) >= PAIRS_MAX) this.turnedAway++
    else this.#put({ ...pair, leftMs }, nowMs)
  }

  /** What a message carries: the latest first, then others in turn. @param times how often a pair is told as news. */
  tell(nowMs: number, times: number): Pair[] {
    const told = new Set(this.#news.take(PAIRS_TOLD_MAX, times, () => false))
    const keys = [...this.#kept.keys()]
    for (let tries = 0; tries < keys.length && told.size < PAIRS_TOLD_MAX; tries++) {
      this.#next = (this.#next + 1) % keys.length
      told.add(keys[this.#next] as string)
    }
    return [...told].flatMap(key => this.get(key, nowMs) ?? [])
  }

  /** What has been gone for long is forgotten. */
  expire(nowMs: number): void {
    for (const [key, { untilMs }] of this.#kept) if (untilMs + GONE_KEPT_MS <= nowMs) this.#kept.delete(key)
  }

  #isThere(key: string, nowMs: number): boolean {
    return this.get(key, nowMs) !== undefined
  }

  #put({ key, value, version, owner, leftMs }: Pair, nowMs: number): void {
    this.#kept.delete(key)
    // Those that have gone may fill as much again; then the oldest is forgotten before its time.
    if (this.#kept.size >= 2 * PAIRS_MAX) {
      const [gone] = [...this.#kept].find(([, { untilMs }]) => untilMs <= nowMs) ?? []
      if (gone !== undefined) this.#kept.delete(gone)
    }
    this.#kept.set(key, { value, version, owner, untilMs: nowMs + leftMs })
    this.#news.add(key)
  }
}

function faultOf(key: string, value: string, ttlMs: number): StoreError | undefined {
  const { min, max } = GOSSIP_FIELDS.ttl
  if (key === '' || !key.isWellFormed() || !value.isWellFormed())
    return new StoreError('INVALID_REQUEST', 'A key is text and not empty, and a value is text.')
  if (Buffer.byteLength(key) > PAIR_KEY_BYTES_MAX)
    return new StoreError('INVALID_REQUEST', `A key has at most ${PAIR_KEY_BYTES_MAX} bytes.`)
  if (Buffer.byteLength(value) > PAIR_VALUE_BYTES_MAX) {
    const message = `A value has at most ${PAIR_VALUE_BYTES_MAX} bytes; what is larger belongs into a file.`
    return new StoreError('FILE_TOO_LARGE', message)
  }
  if (!(ttlMs >= min && ttlMs <= max))
    return new StoreError('INVALID_REQUEST', `A TTL is ${min / 1000} to ${max / 1000} seconds.`)
  return undefined
}

function pairOf(key: string, { value, version, owner, untilMs }: Kept, nowMs: number): Pair {
  return { key, value, version, owner, leftMs: untilMs - nowMs }
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
