/**
 * The troubles of a simulated chain network: what may happen to it, drawn from the seed or read from a schedule.
 */

import { diskBootOf, STARTS_NOTED } from '../../views/boot.ts'
import { isMember, type View } from '../../views/view.ts'
import type { ChainCluster } from './chain-cluster.ts'
import type { ChainInvariants } from './chain-invariants.ts'
import type { ChainNode } from './chain-node.ts'
import { drawForce, useForce } from './chain-operator.ts'
import { drawBrokenLink, drawCutOff, drawLinks, drawTrouble, isCut, SLOW_LINK_MS } from './chain-troubles.ts'
import type { Order } from './chain-workload.ts'
import { Expendables } from './expendables.ts'
import type { NemesisAction } from './scenario.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { LinkSettings, NodeName } from './simulated-network.ts'
import { LINK } from './simulated-settings.ts'
import type { Transcript } from './transcript.ts'
import type { VirtualClock } from './virtual-clock.ts'
import type { Packet } from './whole-network.ts'

export interface NemesisComponents {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly transcript: Transcript
  readonly cluster: ChainCluster
  readonly invariants: ChainInvariants
  /** A client asks a node something, once. */
  readonly ask: (node: ChainNode, order: Order) => void
}

/** Ms between two troubles. */
const GAP_MS = [5, 140] as const

export class ChainNemesis {
  readonly #components: NemesisComponents
  readonly #random: SeededRandom
  readonly #expendables: Expendables
  /** What was done, for a schedule. */
  readonly done: NemesisAction[] = []
  /** A part of the network is cut off for long: there are no other cuts, whose ends would end that. */
  #cutsOff = false
  /** Links that carry nothing until the end of the run. */
  readonly #broken: [NodeName, NodeName][] = []

  constructor(components: NemesisComponents) {
    this.#components = components
    this.#random = components.random.fork('nemesis')
    this.#expendables = new Expendables(components)
  }

  /** Draws trouble until then. */
  draw(untilMs: number): void {
    const { clock } = this.#components
    this.#settle(drawLinks(this.#random, clock.monotonicMs()))
    this.#drawForce(untilMs)
    this.#drawCutOff(untilMs)
    const { random } = this.#components
    for (const action of drawBrokenLink(random, this.#names(), untilMs))
      clock.after(action.atMs, () => this.#settle(action))
    const next = () => {
      const gapMs = this.#random.between(GAP_MS[0], GAP_MS[1])
      if (clock.monotonicMs() + gapMs >= untilMs) return
      clock.after(gapMs, () => {
        const action = drawTrouble(
          this.#random,
          this.#names(),
          clock.monotonicMs(),
          this.#components.cluster.isWhole,
        )
        if (!this.#cutsOff || !isCut(action)) this.#settle(action)
        next()
      })
    }
    next()
  }

  /** Few seeds have force, and one use of it each. */
  #drawForce(untilMs: number): void {
    const { clock, random } = this.#components
    const force = drawForce(random.fork('force'), this.#names(), untilMs)
    if (force !== undefined) clock.after(force.atMs, () => this.#settle(force))
  }

  #drawCutOff(untilMs: number): void {
    const { clock, random } = this.#components
    const cutOff = drawCutOff(random.fork('cut off'), this.#names(), untilMs)
    if (cutOff === undefined) return
    this.#cutsOff = true
    clock.after(cutOff.atMs, () => this.#settle(cutOff))
  }

  /** Does what a schedule says. */
  follow(actions: readonly NemesisAction[]): void {
    for (const action of actions) {
      if (action.atMs === 0) this.#do(action)
      else this.#components.clock.after(action.atMs, () => this.#do(action))
    }
  }

  /** Ends all trouble: everybody who has a disk is up, and can talk. */
  heal(): void {
    const { cluster } = this.#components
    cluster.network.setAllLinks({ loss: 0, repeat: 0, late: 0, again: 0 })
    this.#healLinks()
    for (const node of cluster.nodes) {
      node.disk.setFault('none')
      node.disk.setSlow(0)
      if (node.paused) cluster.resume(node)
      if (node.driver === undefined && cluster.members.has(node.id)) {
        if (cluster.members.get(node.id)?.status !== 'gone') cluster.start(node)
      }
    }
  }

  #names(): NodeName[] {
    return this.#components.cluster.nodes.map(({ name }) => name)
  }

  #settle(action: NemesisAction): void {
    this.done.push(action)
    this.#do(action)
  }

  #do(action: NemesisAction): void {
    const { transcript, cluster } = this.#components
    transcript.note('nemesis', action.kind, '*', JSON.stringify(action))
    if (action.kind === 'links') {
      const { kind: _, atMs: __, ...settings } = action
      return cluster.network.setAllLinks(settings as Partial<LinkSettings>)
    }
    if (action.kind === 'cut') return this.#cut(action)
    if (action.kind === 'slow-link') return this.#slowLink(action)
    if (action.kind === 'partition') return this.#partition(action)
    if (action.kind === 'force') return this.#force(action)
    if (action.kind === 'heal') return this.heal()
    if (action.kind === 'hold') return this.#hold(action)
    if (action.kind === 'ask') {
      const order = { client: action.client, ...(action.request as object) } as Order
      return this.#components.ask(cluster.node(action.node as string), order)
    }
    this.#doTo(cluster.node(action.node as string), action)
  }

  #cut(action: NemesisAction): void {
    const { network } = this.#components.cluster
    const [from, to] = [action.from as NodeName, action.to as NodeName]
    network.cut(from, to)
    if (action.stays === true) this.#broken.push([from, to])
    else this.#after(action, () => network.heal(from, to))
  }

  #slowLink(action: NemesisAction): void {
    const { network } = this.#components.cluster
    const [from, to] = [action.from as NodeName, action.to as NodeName]
    network.setLink(from, to, { delayMaxMs: SLOW_LINK_MS })
    this.#after(action, () => network.setLink(from, to, { delayMaxMs: LINK.delayMaxMs }))
  }

  /** All cuts end but those of links that are broken for good. */
  #healLinks(): void {
    const { network } = this.#components.cluster
    network.healAll()
    for (const [from, to] of this.#broken) network.cut(from, to)
  }

  #partition(action: NemesisAction): void {
    const { network } = this.#components.cluster
    network.partition(action.groups as unknown as NodeName[][])
    this.#after(action, () => this.#healLinks())
  }

  #force(action: NemesisAction): void {
    this.#partition(action)
    useForce(this.#components, action)
  }

  /** Only schedules do this: the next messages of one kind, all or `count` of them, arrive after the others. */
  #hold(action: NemesisAction): void {
    const { network } = this.#components.cluster
    const [from, to] = [action.from as NodeName, action.to as NodeName]
    const isMeant = (packet: Packet) => 'message' in packet && packet.message.kind === action.message
    this.#after(action, network.holdBack(from, to, isMeant, action.count as number | undefined))
  }

  #doTo(node: ChainNode, action: NemesisAction): void {
    const { cluster } = this.#components
    switch (action.kind) {
      case 'crash':
        if (!this.#mayCrash(node)) return
        cluster.crash(node)
        return this.#after(action, () => this.#restart(node))
      case 'move':
        if (!this.#mayCrash(node) || !cluster.isAcquainted) return
        cluster.move(node)
        return this.#after(action, () => this.#restart(node))
      case 'pause':
        if (!node.running) return
        cluster.pause(node)
        return this.#after(action, () => {
          if (node.paused) cluster.resume(node)
        })
      case 'wipe':
        if (!this.#expendables.hasDisk(node)) return
        cluster.wipe(node)
        return this.#after(action, () => this.#restart(node))
      case 'restore':
        return this.#restore(node, action)
      case 'join':
        if (!cluster.members.has(node.id)) cluster.join(node)
        return
      case 'depart':
        if (this.#mayDepart(node)) cluster.depart(node)
        return
      case 'fill':
        if (!this.#mayCrash(node)) return
        node.disk.setFault('full')
        return this.#after(action, () => {
          node.disk.setFault('none')
          this.#restart(node)
        })
      case 'skew':
        return node.wallClock.jump(action.byMs as number)
      case 'slow':
        node.disk.setSlow(action.syncMs as number)
        return this.#after(action, () => node.disk.setSlow(0))
      default:
        return this.#trouble(node, action)
    }
  }

  /** What needs a running node. */
  #trouble(node: ChainNode, action: NemesisAction): void {
    if (!node.running) return
    const pick = (action.pick as number | undefined) ?? 0
    switch (action.kind) {
      case 'renew':
      case 'half-renew': {
        const views = [...(node.machine?.views.values() ?? [])].filter(state => !state.sealed)
        const state = views[pick % Math.max(1, views.length)]
        if (state === undefined) return
        node.handle({ kind: 'renew', viewId: state.view.id })
        if (action.kind === 'renew') return
        // Long enough for some ACCEPTs to be on their way, too short for all of it.
        this.#components.clock.after(2 + (pick % 7), () => {
          if (!this.#mayCrash(node)) return
          this.#components.cluster.crash(node)
          this.#after(action, () => this.#restart(node))
        })
        return
      }
      case 'wrong-map': {
        const members = node.whole?.ring?.members
        const others = members?.others() ?? []
        const dead = others[pick % Math.max(1, others.length)]
        return dead && members?.learn([{ ...dead, status: 'dead' }])
      }
      case 'collect':
        return node.handle({ kind: 'collect' })
      case 'expire':
        return node.handle({ kind: 'expire' })
      case 'rot': {
        const blobs = [...(node.machine?.blobs.keys() ?? [])].filter(blobId =>
          this.#expendables.hasBody(node, blobId),
        )
        const chosen = action.all === true ? blobs : blobs.slice(pick % Math.max(1, blobs.length)).slice(0, 1)
        for (const blobId of chosen) {
          node.bodies.spoil(blobId)
          node.handle({ kind: 'body-lost', blobId })
        }
        return
      }
      default:
        throw new TypeError(`The nemesis knows no ${action.kind}.`)
    }
  }

  #after({ lastsMs }: NemesisAction, then: () => void): void {
    this.#components.clock.after((lastsMs as number | undefined) ?? 50, then)
  }

  #restart(node: ChainNode): void {
    const { cluster } = this.#components
    const status = cluster.members.get(node.id)?.status
    if (node.driver === undefined && status !== undefined && status !== 'gone') cluster.start(node)
  }

  /** Puts an old disk back, of an earlier start than the others remember. */
  #restore(node: ChainNode, action: NemesisAction): void {
    const { cluster } = this.#components
    if (!this.#expendables.hasDisk(node)) return
    const needed = this.#expendables.neededViews().filter(view => isMember(view, node.id))
    // Who has never met it is told by every view that they share. Without one it is a stranger to them, and can't be refused:
    // they may give it a range before it meets those who know better.
    const isTold = (other: ChainNode, boot: number) => {
      const shared = needed.filter(view => isMember(view, other.id))
      const isSaid = (view: View) => {
        const said = view.members?.find(member => member.node === node.id)?.boot
        return said !== undefined && diskBootOf(said) > boot
      }
      return shared.length > 0 && shared.every(isSaid)
    }
    const image = node.images.find(({ boot, views }) => {
      const known = cluster.nodes.every(other => {
        if (other === node || cluster.members.get(other.id)?.status === 'gone') return true
        const peer = other.stable().peers.get(node.id)
        return peer === undefined ? isTold(other, boot) : diskBootOf(peer) > boot
      })
      return known && views.every(state => state.sealed || state.view.acceptors.length >= 3)
    })
    if (image === undefined) return
    cluster.crash(node)
    node.restore(image)
    this.#after(action, () => this.#restart(node))
  }

  /**
   * A restored disk that was started more often than a nonce goes back, before anybody has refused it, is not noticed any
   * more (docs/decisions/0132). The start at the end of all trouble counts, too.
   */
  #mayCrash({ machine, restored, restoredBoot }: ChainNode): boolean {
    if (machine === undefined) return false
    return !restored || diskBootOf(machine.boot) - restoredBoot < STARTS_NOTED
  }

  #mayDepart(node: ChainNode): boolean {
    const { cluster } = this.#components
    const members = [...cluster.members.values()].filter(({ status }) => status === 'member')
    // While only the founder is in its network, nobody else can say where that is.
    return cluster.isMember(node) && members.length > 3 && (!cluster.isWhole || cluster.isAcquainted)
  }
}
