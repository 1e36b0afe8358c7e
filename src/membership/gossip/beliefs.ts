/**
 * What a node believes of the others by their heartbeats, since when and why: a pure state that is told what happens and when.
 *
 * A heartbeat is a number that its node alone raises, within a start of its disk. Whoever watches a node and has not seen the number
 * grow for T_fail suspects it (van Renesse, Minsky & Hayden, *A Gossip-Style Failure Detection Service*, Middleware 1998,
 * section 3), and tries to reach it, also through others; when that fails it tells its doubt. A doubt is refuted by any higher
 * heartbeat, so the node in doubt has the last word (SWIM: Das, Gupta & Motivala, DSN 2002, section 4.2). A member fails when
 * enough observers that are independent of each other have doubted it for a while, which is the shorter the more of them there are
 * (Lifeguard, DSN-W 2018, section IV.B). That is a belief: no disk is ever declared lost by it.
 */
import { type Beat, type Doubt, NEWS_TOLD_MAX, OBSERVERS_MAX, type Told } from '../../calls/gossip-message.ts'
import type { NodeId } from '../../ring/identifier.ts'
import { News } from '../../routing/news.ts'

export type Belief = 'alive' | 'suspect' | 'failed'

/** What is believed of a node. */
export interface Opinion {
  readonly node: NodeId
  readonly belief: Belief
  /** Ms of this node's monotonic clock. */
  readonly sinceMs: number
  /** For people. */
  readonly reason: string
  readonly by: readonly NodeId[]
}

/** Doubts that are no news, in one message: those who have joined since hear of them, too. */
const OLD_DOUBTS_TOLD = 4

/** Nodes that are not watched and of which something is known, for having been in doubt. */
const OTHERS_MAX = 1024

/** Observers that shorten the wait as far as it goes (Lifeguard, section IV.B). */
const CONFIRMATIONS = 3

/** The wait from the first doubt to the belief that a node has failed, in T_fail: with one observer, and with all confirmations. */
const DOUBT_SHARE_MAX = 3 / 4
const DOUBT_SHARE_MIN = 1 / 4

export const SEQ_MAX = 2 ** 48

interface Known {
  boot: number
  seq: number
  /** When the heartbeat was last seen to grow. */
  grownMs: number
  belief: Belief
  sinceMs: number
  reason: string
  readonly by: Set<NodeId>
  probedMs: number
  /** Its machine has said, since its heartbeat grew, that nobody listens at its address. */
  refused: boolean
}

export interface BeliefsInit {
  readonly self: NodeId
  /** Of the disk of this node. */
  readonly boot: number
  /** What fails together with a node; undefined where nobody said so. */
  readonly zoneOf: (node: NodeId) => string | undefined
}

export class Beliefs {
  readonly #init: BeliefsInit
  readonly #known = new Map<NodeId, Known>()
  readonly #news = new News<NodeId>()
  #watched: ReadonlySet<NodeId> = new Set()
  #nodes = 1
  #seq = 0
  #changes: Opinion[] = []
  /** Where the next message goes on among the doubts that are no news. */
  #next = 0

  constructor(init: BeliefsInit) {
    this.#init = init
  }

  get ownBeat(): Beat {
    return { node: this.#init.self, boot: this.#init.boot, seq: this.#seq }
  }

  /** This node shows that it is there. */
  beat(): void {
    this.#seq++
  }

  /** Whom this node watches, of how many nodes in all. Who is no member any more is in no doubt either. */
  watch(
    watched: Iterable<NodeId>,
    isMember: (node: NodeId) => boolean,
    network: { readonly nodes: number; readonly nowMs: number },
  ): void {
    const before = this.#watched
    this.#watched = new Set(watched)
    this.#nodes = network.nodes
    for (const [node, known] of this.#known) {
      const isWatched = this.#watched.has(node)
      // Of one that was not watched nobody has told the heartbeat.
      if (isWatched && !before.has(node)) known.grownMs = network.nowMs
      if (!isMember(node) || (!isWatched && known.belief === 'alive')) this.forget(node)
    }
  }

  /** A node is no member any more, or does not gossip. */
  forget(node: NodeId): void {
    this.#known.delete(node)
  }

  /** This node did not run for so long, and could not have heard anybody. */
  stoodStill(ms: number): void {
    for (const known of this.#known.values()) {
      known.grownMs += ms
      if (known.belief !== 'alive') known.sinceMs += ms
    }
  }

  /** A heartbeat arrives; true when it is higher than what was known. Counters that go back say nothing. */
  hear(beat: Beat, nowMs: number): boolean {
    if (beat.node === this.#init.self) return false
    const known = this.#known.get(beat.node)
    if (known === undefined) {
      if (this.#watched.has(beat.node)) this.#known.set(beat.node, fresh(beat, nowMs))
      return true
    }
    if (compareBeats(beat, known) <= 0) return false
    const startedAgain = beat.boot > known.boot
    known.boot = beat.boot
    known.seq = beat.seq
    known.grownMs = nowMs
    known.refused = false
    known.by.clear()
    if (known.belief !== 'alive') {
      this.#change(beat.node, known, 'alive', startedAgain ? 'it started again' : 'its heartbeat grew', nowMs)
      this.#news.add(beat.node)
    }
    return true
  }

  /** Others doubt a node. `refute` when it is this one: everybody has to be told, now. */
  doubted(doubt: Doubt, nowMs: number): 'refute' | undefined {
    if (doubt.node === this.#init.self) {
      const isOfNow = doubt.boot === this.#init.boot && doubt.seq >= this.#seq
      if (isOfNow) this.#seq = Math.min(doubt.seq, SEQ_MAX) + 1
      return isOfNow ? 'refute' : undefined
    }
    const known = this.#known.get(doubt.node) ?? this.#meet(doubt, nowMs)
    if (known === undefined) return undefined
    const order = compareBeats(doubt, known)
    // Who doubts has missed something, and so may others have.
    if (order < 0) this.#news.add(doubt.node)
    if (order < 0) return undefined
    if (order > 0) this.hear(doubt, nowMs)
    let isNews = false
    for (const observer of doubt.by) if (this.#observed(known, observer)) isNews = true
    if (!isNews) this.#news.heardAgain(doubt.node)
    else this.#news.add(doubt.node)
    if (known.belief === 'alive' && known.by.size > 0)
      this.#change(doubt.node, known, 'suspect', `${known.by.size} others miss its heartbeat`, nowMs)
    return undefined
  }

  /**
   * The machine of a node says that nobody listens at its address: it is suspected now, so that those who do not reach it are found while
   * T_fail passes. It may be starting again, so it fails no sooner than one that is silent (docs/decisions/0461).
   */
  refused(node: NodeId, nowMs: number): void {
    const known = this.#known.get(node)
    if (known === undefined || known.belief === 'failed') return
    known.refused = true
    if (known.belief === 'alive') this.#change(node, known, 'suspect', 'it refuses connections', nowMs)
  }

  /**
   * Looks at what the time has made of the beliefs.
   * @param failMs T_fail, longer where this node itself is not well.
   * @param leastMs T_fail itself: nobody that is watched fails before it has been silent for so long.
   * @returns the nodes that are to be tried now, whose outcome `probed` is told.
   */
  look(nowMs: number, failMs: number, leastMs = failMs): NodeId[] {
    const toProbe: NodeId[] = []
    for (const [node, known] of this.#known) {
      const silentMs = nowMs - known.grownMs
      const isWatched = this.#watched.has(node)
      const isSilent = isWatched && silentMs >= failMs
      const mayFail = !isWatched || silentMs >= leastMs
      if (known.belief === 'alive' && isSilent)
        this.#change(node, known, 'suspect', `no heartbeat for ${seconds(silentMs)}`, nowMs)
      if (known.belief !== 'suspect') continue
      const agedMs = nowMs - known.sinceMs
      if (mayFail && this.#areEnough(known.by, node) && agedMs >= suspicionMs(known.by.size, failMs)) {
        const reason = `no heartbeat for ${seconds(silentMs)}, and ${known.by.size} do not reach it`
        this.#change(node, known, 'failed', reason, nowMs)
      } else if (
        !known.by.has(this.#init.self) &&
        (isSilent || known.refused || agedMs >= DOUBT_SHARE_MAX * failMs)
      ) {
        if (nowMs - known.probedMs < DOUBT_SHARE_MIN * failMs) continue
        known.probedMs = nowMs
        toProbe.push(node)
      }
    }
    return toProbe
  }

  /** A node that was to be tried has not answered, nor those who were asked to try it. */
  notReached(node: NodeId): void {
    const known = this.#known.get(node)
    if (known?.belief !== 'suspect' || !this.#observed(known, this.#init.self)) return
    this.#news.add(node)
  }

  /**
   * What a message says of others.
   * @param toWatched whether its hearer watches much the same nodes as this one: it is told their heartbeats.
   * @param times how often something is told as news.
   */
  tell(toWatched: boolean, times: number): Told {
    const nodes = new Set(this.#news.take(NEWS_TOLD_MAX, times, () => false))
    const inDoubt: NodeId[] = []
    for (const [node, { by }] of this.#known) if (by.size > 0) inDoubt.push(node)
    for (let count = 0; count < Math.min(OLD_DOUBTS_TOLD, inDoubt.length); count++) {
      this.#next = (this.#next + 1) % inDoubt.length
      nodes.add(inDoubt[this.#next] as NodeId)
    }
    const beats = new Map<NodeId, Beat>([[this.#init.self, this.ownBeat]])
    const doubts: Doubt[] = []
    for (const node of nodes) {
      const known = this.#known.get(node)
      if (known === undefined) continue
      if (known.by.size === 0) beats.set(node, beatOf(node, known))
      else doubts.push({ ...beatOf(node, known), by: [...known.by] })
    }
    if (toWatched)
      for (const node of this.#watched) {
        const known = this.#known.get(node)
        if (known !== undefined && known.belief !== 'failed') beats.set(node, beatOf(node, known))
      }
    return { beats: [...beats.values()], doubts }
  }

  /** What is believed of a node; undefined where nothing was heard. */
  of(node: NodeId): Opinion | undefined {
    const known = this.#known.get(node)
    return known === undefined ? undefined : opinionOf(node, known)
  }

  isFailed(node: NodeId): boolean {
    return this.#known.get(node)?.belief === 'failed'
  }

  all(): Opinion[] {
    return Array.from(this.#known, ([node, known]) => opinionOf(node, known))
  }

  /** What has changed since this was last asked. */
  takeChanges(): Opinion[] {
    const changes = this.#changes
    this.#changes = []
    return changes
  }

  /** Of a node that is not watched here: it is known as long as there is a doubt. */
  #meet(doubt: Doubt, nowMs: number): Known | undefined {
    if (this.#known.size >= OTHERS_MAX) {
      const calm = [...this.#known].find(
        ([node, { belief }]) => belief === 'alive' && !this.#watched.has(node),
      )
      if (calm === undefined) return undefined
      this.#known.delete(calm[0])
    }
    const known = fresh(doubt, nowMs)
    this.#known.set(doubt.node, known)
    return known
  }

  #observed(known: Known, observer: NodeId): boolean {
    if (known.by.has(observer) || known.by.size >= OBSERVERS_MAX) return false
    known.by.add(observer)
    return true
  }

  /**
   * Nobody fails without two observers, and one more for each tenfold of the network, or all that there are; nor without two zones,
   * when there are any: those behind one broken switch see the same.
   */
  #areEnough(by: ReadonlySet<NodeId>, suspect: NodeId): boolean {
    const isThere = (node: NodeId) => node !== suspect && this.#known.get(node)?.belief === 'alive'
    const possible = [this.#init.self, ...[...this.#watched].filter(isThere)]
    const needed = Math.min(possible.length, 1 + Math.ceil(Math.log10(Math.max(2, this.#nodes))))
    return by.size >= needed && this.#zones(by) >= Math.min(2, this.#zones(possible))
  }

  #zones(nodes: Iterable<NodeId>): number {
    return new Set(Array.from(nodes, this.#init.zoneOf)).size
  }

  #change(node: NodeId, known: Known, belief: Belief, reason: string, nowMs: number): void {
    known.belief = belief
    known.sinceMs = nowMs
    known.reason = reason
    this.#changes.push(opinionOf(node, known))
  }
}

/** Which of two heartbeats of a node is the later one: greater than 0 when it is the first. */
export function compareBeats(a: Pick<Beat, 'boot' | 'seq'>, b: Pick<Beat, 'boot' | 'seq'>): number {
  return a.boot - b.boot || a.seq - b.seq
}

/** How long a node is suspected before it fails, with so many observers (Lifeguard, section IV.B). */
export function suspicionMs(observers: number, failMs: number): number {
  const most = 1 + CONFIRMATIONS
  const confirmed = Math.log(Math.min(Math.max(1, observers), most)) / Math.log(most)
  return (DOUBT_SHARE_MAX - (DOUBT_SHARE_MAX - DOUBT_SHARE_MIN) * confirmed) * failMs
}

function fresh(beat: Beat, nowMs: number): Known {
  return {
    boot: beat.boot,
    seq: beat.seq,
    grownMs: nowMs,
    belief: 'alive',
    sinceMs: nowMs,
    reason: 'its heartbeat was heard',
    by: new Set(),
    probedMs: Number.NEGATIVE_INFINITY,
    refused: false,
  }
}

function beatOf(node: NodeId, { boot, seq }: Known): Beat {
  return { node, boot, seq }
}

function opinionOf(node: NodeId, { belief, sinceMs, reason, by }: Known): Opinion {
  return { node, belief, sinceMs, reason, by: [...by] }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
