/**
 * The simulated network: what may happen to a message between two nodes. It may take its time, overtake others, be
 * lost, arrive twice, or come so late that its receiver has restarted meanwhile. It is never changed.
 *
 * Links are one-way, so that a cut can be. A cut takes what is sent during it and what arrives during it.
 */
import type { SeededRandom } from './seeded-random.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Names a node in a simulated world: n1, n2, … */
export type NodeName = string & { readonly brand: 'NodeName' }

/** How one direction of a link behaves. Probabilities are from 0 to 1. */
export interface LinkSettings {
  /** Virtual ms that a message takes, drawn evenly between the two. */
  readonly delayMinMs: number
  readonly delayMaxMs: number
  /** That a message never arrives. */
  readonly loss: number
  /** That a message arrives twice, the second time after a delay of its own. */
  readonly repeat: number
  /** That a message may overtake earlier ones of its link. With 0 the order is kept, as on one TCP connection. */
  readonly reorder: number
  /** That a message takes up to `lateMaxMs` instead: long enough to meet the receiver's next life. */
  readonly late: number
  /** Virtual ms. */
  readonly lateMaxMs: number
  /** That a message arrives once more, up to `againMaxMs` later: when views and starts of its receiver have gone by. */
  readonly again: number
  /** Virtual ms. */
  readonly againMaxMs: number
  /** That a message which meets a cut or a receiver that is down waits for the end of that, instead of being lost. */
  readonly held: number
}

/** A local network in which nothing goes wrong by itself; scenarios add what they want to see. */
export const QUIET_LINK: LinkSettings = {
  delayMinMs: 0.5,
  delayMaxMs: 5,
  loss: 0,
  repeat: 0,
  reorder: 1,
  late: 0,
  lateMaxMs: 0,
  again: 0,
  againMaxMs: 0,
  held: 0,
}

/** How many messages wait on one link for the end of a cut or a pause; for one more, the oldest is lost. */
export const HELD_MESSAGES_MAX = 256

/** Why a message did not arrive. */
export type DropReason = 'loss' | 'cut' | 'down' | 'overflow'

/** What became of messages so far. What is under way or held is `sent + repeated - delivered - lost`. */
export interface NetworkCounts {
  readonly sent: number
  readonly delivered: number
  readonly lost: number
  readonly repeated: number
}

export interface NetworkInit<Message> {
  /** For every link that has no settings of its own. */
  readonly link: LinkSettings
  /** Hands a message to its receiver, which is neither down nor paused. Several may be handed the same object. */
  readonly deliver: (from: NodeName, to: NodeName, message: Message) => void
  /** Told of each message that is dropped, for the transcript. */
  readonly dropped?: (from: NodeName, to: NodeName, message: Message, reason: DropReason) => void
}

/** Messages of a link that are kept back until somebody lets them go. */
interface HoldBack<Message> {
  readonly matches: (message: Message) => boolean
  /** How many more are kept back. */
  left: number
  readonly kept: Message[]
}

interface Link<Message> {
  readonly from: NodeName
  readonly to: NodeName
  own: Partial<LinkSettings>
  settings: LinkSettings
  cut: boolean
  /** When the latest message that keeps the order arrives, virtual ms. */
  orderedUntilMs: number
  held: Message[]
  readonly holdBacks: Set<HoldBack<Message>>
}

/** A network between nodes; it learns of them as they send. All nodes are up at first. */
export class SimulatedNetwork<Message> {
  readonly #clock: VirtualClock
  readonly #random: SeededRandom
  readonly #init: NetworkInit<Message>
  #common: LinkSettings
  readonly #links = new Map<string, Link<Message>>()
  /** Nodes that are not up. */
  readonly #away = new Map<NodeName, 'paused' | 'down'>()
  readonly #counts = { sent: 0, delivered: 0, lost: 0, repeated: 0 }

  constructor(
    components: { readonly clock: VirtualClock; readonly random: SeededRandom },
    init: NetworkInit<Message>,
  ) {
    this.#clock = components.clock
    this.#random = components.random
    this.#init = init
    this.#common = init.link
  }

  get counts(): NetworkCounts {
    return { ...this.#counts }
  }

  /**
   * Sends. To itself a node sends at once and surely, as long as it stays up. The message must not change any more.
   * @param answers it goes back on a connection that `to` has opened: what cuts that is a cut of the other direction.
   */
  send(from: NodeName, to: NodeName, message: Message, answers = false): void {
    const link = this.#link(from, to)
    const way = answers ? this.#link(to, from) : link
    this.#counts.sent++
    for (const holdBack of link.holdBacks) {
      if (holdBack.left === 0 || !holdBack.matches(message)) continue
      holdBack.left--
      holdBack.kept.push(message)
      return
    }
    if (from === to) {
      this.#clock.after(0, () => this.#arrive(link, way, message))
      return
    }
    const lost = this.#random.chance(link.settings.loss)
    const repeated = this.#random.chance(link.settings.repeat)
    if (link.settings.again > 0) this.#carryAgain(link, way, message)
    if (way.cut) {
      this.#meet(link, message, 'cut')
    } else if (lost) {
      this.#drop(link, message, 'loss')
    } else {
      this.#carry(link, way, message)
      if (repeated) {
        this.#counts.repeated++
        this.#carry(link, way, message)
      }
    }
  }

  /**
   * Keeps the next messages of one direction back that match, up to `count`: as a way of their own through the network
   * that is slow. All others pass them by.
   * @returns lets them go, in their order, and keeps no more.
   */
  holdBack(
    from: NodeName,
    to: NodeName,
    matches: (message: Message) => boolean,
    count = Number.POSITIVE_INFINITY,
  ): () => void {
    const link = this.#link(from, to)
    const holdBack: HoldBack<Message> = { matches, left: count, kept: [] }
    link.holdBacks.add(holdBack)
    return () => {
      if (!link.holdBacks.delete(holdBack)) return
      for (const message of holdBack.kept) this.#carry(link, link, message)
    }
  }

  /** Changes the settings of one direction; what is under way stays as it is. */
  setLink(from: NodeName, to: NodeName, settings: Partial<LinkSettings>): void {
    const link = this.#link(from, to)
    link.own = { ...link.own, ...settings }
    link.settings = { ...this.#common, ...link.own }
  }

  /** Changes the settings of all links, save what a link has of its own. */
  setAllLinks(settings: Partial<LinkSettings>): void {
    this.#common = { ...this.#common, ...settings }
    for (const link of this.#links.values()) link.settings = { ...this.#common, ...link.own }
  }

  /** Cuts one direction. */
  cut(from: NodeName, to: NodeName): void {
    this.#link(from, to).cut = true
  }

  isCut(from: NodeName, to: NodeName): boolean {
    return this.#links.get(linkKey(from, to))?.cut ?? false
  }

  /** Ends the cut of one direction; what was held is on its way again. */
  heal(from: NodeName, to: NodeName): void {
    const link = this.#link(from, to)
    if (!link.cut) return
    link.cut = false
    this.#release(link)
  }

  /** Cuts both directions between all nodes of different groups. Nodes of no group keep their links. */
  partition(groups: readonly (readonly NodeName[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue
        for (const from of group) for (const to of other) this.cut(from, to)
      }
    }
  }

  /** Ends all cuts. */
  healAll(): void {
    for (const link of [...this.#links.values()]) this.heal(link.from, link.to)
  }

  /** The node has crashed or was stopped: what arrives, and what its buffers held, is lost or held. */
  down(node: NodeName): void {
    this.#away.set(node, 'down')
    for (const link of this.#links.values()) {
      if (link.to !== node) continue
      const held = link.held
      link.held = []
      for (const message of held) this.#meet(link, message, 'down')
    }
  }

  /** The node does not run but its buffers fill, as after SIGSTOP: what arrives waits for `up`. */
  pause(node: NodeName): void {
    this.#away.set(node, 'paused')
  }

  /** The node runs (again); what was held for it is on its way again, so it meets the node's new life. */
  up(node: NodeName): void {
    if (!this.#away.delete(node)) return
    for (const link of this.#links.values()) if (link.to === node && !link.cut) this.#release(link)
  }

  #link(from: NodeName, to: NodeName): Link<Message> {
    const key = linkKey(from, to)
    let link = this.#links.get(key)
    if (link === undefined) {
      link = {
        from,
        to,
        own: {},
        settings: this.#common,
        cut: false,
        orderedUntilMs: 0,
        held: [],
        holdBacks: new Set(),
      }
      this.#links.set(key, link)
    }
    return link
  }

  #carryAgain(link: Link<Message>, way: Link<Message>, message: Message): void {
    const { again, againMaxMs } = link.settings
    if (!this.#random.chance(again)) return
    this.#counts.repeated++
    this.#clock.after(this.#random.between(0, againMaxMs), () => this.#arrive(link, way, message))
  }

  #carry(link: Link<Message>, way: Link<Message>, message: Message): void {
    const { delayMinMs, delayMaxMs, late, lateMaxMs, reorder } = link.settings
    const isLate = this.#random.chance(late)
    const mayOvertake = this.#random.chance(reorder)
    const delayMs = this.#random.between(
      isLate ? delayMaxMs : delayMinMs,
      isLate ? Math.max(delayMaxMs, lateMaxMs) : delayMaxMs,
    )
    const nowMs = this.#clock.monotonicMs()
    let arrivalMs = nowMs + delayMs
    if (!mayOvertake) {
      arrivalMs = Math.max(arrivalMs, link.orderedUntilMs)
      link.orderedUntilMs = arrivalMs
    }
    this.#clock.after(arrivalMs - nowMs, () => this.#arrive(link, way, message))
  }

  #arrive(link: Link<Message>, way: Link<Message>, message: Message): void {
    const away = this.#away.get(link.to)
    if (way.cut) {
      this.#meet(link, message, 'cut')
    } else if (away === 'down') {
      this.#meet(link, message, 'down')
    } else if (away === 'paused') {
      this.#hold(link, message)
    } else {
      this.#counts.delivered++
      this.#init.deliver(link.from, link.to, message)
    }
  }

  #meet(link: Link<Message>, message: Message, reason: 'cut' | 'down'): void {
    if (this.#random.chance(link.settings.held)) this.#hold(link, message)
    else this.#drop(link, message, reason)
  }

  #hold(link: Link<Message>, message: Message): void {
    link.held.push(message)
    if (link.held.length > HELD_MESSAGES_MAX) this.#drop(link, link.held.shift() as Message, 'overflow')
  }

  #release(link: Link<Message>): void {
    const held = link.held
    link.held = []
    for (const message of held) this.#carry(link, link, message)
  }

  #drop(link: Link<Message>, message: Message, reason: DropReason): void {
    this.#counts.lost++
    this.#init.dropped?.(link.from, link.to, message, reason)
  }
}

function linkKey(from: NodeName, to: NodeName): string {
  return `${from}>${to}`
}
