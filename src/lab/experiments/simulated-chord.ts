/**
 * Chord as it was published, as a yardstick: fingers, a list of successors, and stabilization (Stoica, Morris, Karger, Kaashoek & Balakrishnan,
 * *Chord*, SIGCOMM 2001, sections 4.3 to 5.2). Nothing of it is in the program.
 *
 * A network begins as a perfect ring, with all fingers right. A message takes no time; one to a node that has crashed is a time-out, after which
 * the asker forgets that node and tries the next best one.
 */
import type { Choices, SimulatedLookup } from './simulated-ring.ts'

export interface ChordInit {
  /** Nodes that a list of successors has. */
  readonly successors: number
  /** Between two rounds of stabilization of a node, ms: its successor is asked, and every finger looked up. */
  readonly stabilizeMs: number
}

/** Content of messages so far, bytes. */
export interface ChordTraffic {
  /** Of lookups of clients. */
  lookupBytes: number
  /** Of stabilization. */
  backgroundBytes: number
}

interface Node {
  readonly id: number
  successors: Node[]
  predecessor: Node | undefined
  /** The node that follows `id + 2^i`, for those i for which that is not the successor. */
  readonly fingers: Map<number, Node>
  isGone: boolean
  nextRoundMs: number
}

/** Positions are 52 bits: SHA-1 of so few nodes never differs further down only. */
const BITS = 52
const SIZE = 2 ** BITS

/** A position, the address and the name of a node: what records of the map take, too. */
const NODE_BYTES = 56
/** A position, and what kind of question it is. */
const QUESTION_BYTES = 24

/** Steps after which a lookup has gone in circles. */
const STEPS_MAX = 64

interface Walked {
  readonly owner: Node | undefined
  readonly hops: number
  readonly failed: number
}

export class SimulatedChord {
  readonly traffic: ChordTraffic = { lookupBytes: 0, backgroundBytes: 0 }
  nowMs = 0
  readonly #random: Choices
  readonly #init: ChordInit
  /** The living, in the order of the ring. */
  readonly #ring: Node[] = []

  constructor(components: { readonly random: Choices }, init: ChordInit) {
    this.#random = components.random
    this.#init = init
  }

  get aliveCount(): number {
    return this.#ring.length
  }

  /** A perfect ring of so many nodes. */
  found(nodes: number): void {
    for (let index = 0; index < nodes; index++) this.#ring.push(this.#newNode())
    this.#ring.sort((a, b) => a.id - b.id)
    for (const [at, node] of this.#ring.entries()) {
      node.predecessor = this.#ring.at(at - 1)
      const following = (steps: number) => this.#ring[(at + steps) % nodes] as Node
      node.successors = Array.from({ length: Math.min(this.#init.successors, nodes - 1) }, (_, i) =>
        following(i + 1),
      )
      for (const [bit, start] of fingerStarts(node)) {
        const finger = this.#ownerOf(start)
        if (finger !== node) node.fingers.set(bit, finger)
      }
    }
  }

  /** A new node joins through a random one: it looks its successor and its fingers up. */
  join(): void {
    const node = this.#newNode()
    const boot = this.#anyAlive()
    const { owner } = this.#walk(boot, node.id, 'backgroundBytes')
    this.#ring.splice(this.#indexAtOrAfter(node.id), 0, node)
    // Without a way it asks somebody else, which the next round does here.
    if (owner === undefined) return this.#adopt(node, boot)
    this.#adopt(node, owner)
    this.#stabilize(node)
    this.#fixFingers(node)
  }

  /** A random node stops without a word. */
  crash(): void {
    const [node] = this.#ring.splice(this.#random.int(0, this.#ring.length - 1), 1)
    if (node !== undefined) node.isGone = true
  }

  /** Rounds of stabilization that are due by now. */
  pass(): void {
    for (const node of [...this.#ring]) {
      if (node.isGone || node.nextRoundMs > this.nowMs) continue
      node.nextRoundMs += this.#init.stabilizeMs
      this.#stabilize(node)
      this.#fixFingers(node)
    }
  }

  /** A random node looks a random key up. It is lost when it ends nowhere, or at a node that does not own the key. */
  lookup(): SimulatedLookup {
    const key = this.#position()
    const { owner, hops, failed } = this.#walk(this.#anyAlive(), key, 'lookupBytes')
    return { hops, failed, lost: owner !== this.#ownerOf(key) }
  }

  /** Nodes that a node remembers, on average, itself among them; and the share of them that are gone. */
  get memory(): { readonly entries: number; readonly stale: number } {
    let entries = 0
    let gone = 0
    for (const node of this.#ring) {
      const known = knownTo(node)
      entries += known.size
      for (const other of known) if (other.isGone) gone++
    }
    return { entries: entries / this.#ring.length, stale: gone / entries }
  }

  #walk(entry: Node, key: number, bytes: keyof ChordTraffic): Walked {
    let node = entry
    let hops = 0
    let failed = 0
    const isOwn = node.predecessor !== undefined && isBetween(key, node.predecessor.id, node.id)
    if (isOwn) return { owner: node, hops, failed }
    for (let step = 0; step < STEPS_MAX; step++) {
      const next = nextOf(node, key)
      if (next === undefined) return { owner: undefined, hops, failed }
      hops++
      this.traffic[bytes] += QUESTION_BYTES
      if (next.isGone) {
        failed++
        forget(node, next)
        continue
      }
      this.traffic[bytes] += NODE_BYTES
      if (isBetween(key, node.id, next.id) && next === node.successors[0])
        return { owner: next, hops, failed }
      node = next
    }
    return { owner: undefined, hops, failed }
  }

  /** Asks the successor who is before it, and takes over its list; then tells it of itself. */
  #stabilize(node: Node): void {
    if (node.predecessor?.isGone) node.predecessor = undefined
    this.#ask(QUESTION_BYTES)
    for (;;) {
      const successor = node.successors[0]
      if (successor === undefined) return this.#adopt(node, this.#anyAlive())
      this.#ask(QUESTION_BYTES)
      if (successor.isGone) {
        forget(node, successor)
        continue
      }
      this.#ask((1 + successor.successors.length) * NODE_BYTES)
      const between = successor.predecessor
      if (between !== undefined && between !== node && isBetween(between.id, node.id, successor.id)) {
        this.#ask(QUESTION_BYTES + NODE_BYTES)
        if (!between.isGone) {
          this.#adopt(node, between)
          notify(between, node)
          return
        }
      }
      this.#adopt(node, successor)
      this.#ask(NODE_BYTES)
      return notify(successor, node)
    }
  }

  #fixFingers(node: Node): void {
    const starts = fingerStarts(node)
    const due = new Set(starts.map(([bit]) => bit))
    for (const bit of node.fingers.keys()) if (!due.has(bit)) node.fingers.delete(bit)
    for (const [bit, start] of starts) {
      const { owner } = this.#walk(node, start, 'backgroundBytes')
      if (owner === undefined || owner === node) node.fingers.delete(bit)
      else node.fingers.set(bit, owner)
    }
  }

  #adopt(node: Node, successor: Node): void {
    const others = [successor, ...successor.successors].filter(other => other !== node)
    node.successors = [...new Set(others)].slice(0, this.#init.successors)
  }

  #ask(bytes: number): void {
    this.traffic.backgroundBytes += bytes
  }

  #newNode(): Node {
    const nextRoundMs = this.nowMs + this.#random.fraction() * this.#init.stabilizeMs
    return {
      ...{ id: this.#position(), nextRoundMs, isGone: false },
      ...{ successors: [], predecessor: undefined, fingers: new Map() },
    }
  }

  #position(): number {
    return Math.floor(this.#random.fraction() * SIZE)
  }

  #anyAlive(): Node {
    return this.#ring[this.#random.int(0, this.#ring.length - 1)] as Node
  }

  #ownerOf(key: number): Node {
    return this.#ring[this.#indexAtOrAfter(key) % this.#ring.length] as Node
  }

  #indexAtOrAfter(position: number): number {
    let low = 0
    let high = this.#ring.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ring[middle] as Node).id < position) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The successor when the key is its own; else the last node known before the key, which may be the successor, too. */
function nextOf(node: Node, key: number): Node | undefined {
  const [successor] = node.successors
  if (successor === undefined || isBetween(key, node.id, successor.id)) return successor
  let best: Node = successor
  const reach = distance(node.id, key)
  for (const known of [...node.successors, ...node.fingers.values()]) {
    const far = distance(node.id, known.id)
    if (far < reach && far > distance(node.id, best.id)) best = known
  }
  return best
}

function knownTo(node: Node): Set<Node> {
  const known = new Set([node, ...node.successors, ...node.fingers.values()])
  if (node.predecessor !== undefined) known.add(node.predecessor)
  return known
}

/** Where fingers begin that the successor does not follow. */
function fingerStarts(node: Node): [bit: number, start: number][] {
  const near = distance(node.id, node.successors[0]?.id ?? node.id)
  const starts: [number, number][] = []
  for (let bit = 0; bit < BITS; bit++) if (2 ** bit > near) starts.push([bit, (node.id + 2 ** bit) % SIZE])
  return starts
}

function notify(node: Node, of: Node): void {
  const { predecessor } = node
  if (predecessor === undefined || predecessor.isGone || isBetween(of.id, predecessor.id, node.id))
    node.predecessor = of
}

function forget(node: Node, gone: Node): void {
  node.successors = node.successors.filter(other => other !== gone)
  for (const [bit, finger] of node.fingers) if (finger === gone) node.fingers.delete(bit)
}

/** In (from, to] clockwise; the whole ring where both are one. */
function isBetween(position: number, from: number, to: number): boolean {
  if (from === to) return true
  return from < to ? position > from && position <= to : position > from || position <= to
}

function distance(from: number, to: number): number {
  return (to - from + SIZE) % SIZE
}
