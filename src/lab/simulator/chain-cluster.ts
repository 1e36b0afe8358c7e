/**
 * A simulated network of chain nodes: who is up, who is a member, and what becomes of identities when disks are
 * lost. It plays the part of routing: it tells each node, some time later, who the members are.
 */

import { readNetwork } from '../../membership/network-config.ts'
import type { ChainRecord } from '../../replication/chain/chain-record.ts'
import type { MachineEvent } from '../../replication/chain/machine.ts'
import type { ChainSettings, Member, Outcome, Write } from '../../replication/chain/machine-state.ts'
import type { Envelope } from '../../replication/chain/messages.ts'
import type { ClientRequest } from '../../replication/entry/requests.ts'
import { type Address, type Identifier, identifiersOfAddress } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { freshState, type NodeId } from '../../views/view.ts'
import { ChainNode } from './chain-node.ts'
import type { StopReason } from './chain-node-parts.ts'
import { drawClock } from './chain-troubles.ts'
import { routingOf, type World } from './chain-world.ts'
import { isBody, subjectsOf } from './message-subjects.ts'
import type { SeededRandom } from './seeded-random.ts'
import { type NodeName, SimulatedNetwork } from './simulated-network.ts'
import { LINK } from './simulated-settings.ts'
import { initialViews } from './standing-views.ts'
import type { Transcript } from './transcript.ts'
import type { VirtualClock } from './virtual-clock.ts'
import { type Packet, WholeNetwork } from './whole-network.ts'

export interface ClusterInit extends Partial<Pick<World, 'gossips' | 'routing'>> {
  /** Of the nodes, n1, n2, …; those after `founders` are admitted later. */
  readonly nodes: number
  readonly founders: number
  /** How many zones there are, taken in turn; 0 where nobody knows of any. */
  readonly zones: number
  readonly settings: ChainSettings
  /** The nodes are whole: nobody tells them who the others are. */
  readonly whole?: boolean
  /** Of whole nodes alone. */
  readonly consistency?: 'eventual'
}

export interface ClusterComponents {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly transcript: Transcript
  readonly stepped: (node: ChainNode, event: MachineEvent, writes: readonly Write[]) => void
  readonly durable: (node: ChainNode, writes: readonly Write[]) => void
  readonly asked: (node: ChainNode, request: ClientRequest) => void
  readonly answered: (request: ClientRequest, outcome: Outcome) => void
  readonly readAtOnce: (path: PathName, record: ChainRecord) => void
  /** A message leaves a node. */
  readonly sent: (envelope: Envelope) => void
  /** A node went down, so that its clients learn nothing more. */
  readonly wentDown: (node: ChainNode) => void
  /** A whole node has found its network, and is about to take part in it. */
  readonly began?: (node: ChainNode) => void
  /** As ChainNodeComponents. */
  readonly losing?: (node: ChainNode) => void
}

/** Ms after which the founders of a network of whole nodes come to the first of them, at most. */
const FOUNDING_MS = 60

/** Ms until a node is started again that has found no network. */
const AGAIN_MS = 20

/** Ms until a node has heard of a change of the membership. */
const NEWS_MS = [1, 60] as const

export class ChainCluster {
  readonly nodes: readonly ChainNode[]
  readonly network: SimulatedNetwork<Packet>
  readonly members = new Map<NodeId, Member>()
  readonly isWhole: boolean
  readonly #components: ClusterComponents
  readonly #init: ClusterInit
  readonly #random: SeededRandom
  /** Identities that each node has had. */
  readonly #lives = new Map<NodeName, number>()
  readonly #byId = new Map<NodeId, NodeName>()
  #detours = 0
  /** Since when a link that is cut has been given something. */
  readonly #stalledAtMs = new Map<string, number>()
  readonly #joining = new Set<NodeId>()
  readonly #whole: WholeNetwork | undefined
  /** There is a network of whole nodes, on the disk of one at least. */
  #isFounded = false

  constructor(components: ClusterComponents, init: ClusterInit) {
    this.#components = components
    this.#init = init
    this.isWhole = init.whole === true
    this.#random = components.random.fork('cluster')
    const { clock } = components
    if (init.whole === true) {
      this.#whole = new WholeNetwork({
        random: components.random.fork('whole network'),
        network: () => this.network,
        node: name => this.node(name),
      })
    }
    this.network = new SimulatedNetwork<Packet>(
      { clock, random: components.random.fork('network') },
      {
        link: LINK,
        deliver: (from, to, packet) => this.#deliver(from, to, packet),
        dropped: (from, _to, packet, reason) => {
          if (reason === 'down') this.#whole?.dropped(from, packet)
        },
      },
    )
    this.nodes = Array.from({ length: init.nodes }, (_, index) =>
      this.#createNode(`n${index + 1}` as NodeName),
    )
  }

  /** Puts the founders' views on their disks and starts them. Of whole nodes the first one founds a network, and the others join. */
  found(): void {
    const founders = this.nodes.slice(0, this.#init.founders)
    for (const node of founders) this.#admit(node)
    if (this.#whole !== undefined) return this.#foundWhole(founders)
    const views = initialViews([...this.members.values()], this.#init.settings.replicas)
    for (const node of founders) {
      const writes = views
        .filter(view => view.replicas.includes(node.id) || view.acceptors.includes(node.id))
        .map((view): Write => {
          const state = { ...freshState(view), installed: true, active: true, complete: true }
          return { kind: 'view', id: view.id, state }
        })
      node.format(writes)
      this.start(node)
    }
  }

  #foundWhole([first, ...others]: readonly ChainNode[]): void {
    const { clock } = this.#components
    this.start(first as ChainNode)
    for (const node of others) clock.after(this.#random.between(0, FOUNDING_MS), () => this.start(node))
  }

  node(name: string): ChainNode {
    const node = this.nodes.find(each => each.name === name)
    if (node === undefined) throw new TypeError(`No node is called ${name}.`)
    return node
  }

  isMember(node: ChainNode): boolean {
    return this.members.get(node.id)?.status === 'member'
  }

  /** A member that runs; its boot may still be under way. */
  start(node: ChainNode): void {
    if (node.driver !== undefined) return
    this.network.up(node.name)
    node.start(() => {
      this.#components.transcript.note(node.name, 'starts', '*', node.id)
      this.#isFounded = true
      this.#components.began?.(node)
      if (this.#whole !== undefined) return this.#whole.place(node, this.members)
      if (this.#joining.delete(node.id)) this.#tellBoots(node)
      this.#tell(node)
    })
  }

  crash(node: ChainNode): void {
    const member = this.members.get(node.id)
    // Whoever is on its way out and starts again is a member again (membership/join.ts).
    if (this.#whole !== undefined && member?.status === 'leaving')
      this.members.set(node.id, { ...member, status: 'member' })
    this.network.down(node.name)
    node.crash()
    this.#components.wentDown(node)
  }

  pause(node: ChainNode): void {
    node.pause()
    this.network.pause(node.name)
  }

  resume(node: ChainNode): void {
    node.resume()
    this.network.up(node.name)
  }

  /** The node's disk is empty from now on; it comes back as somebody else. */
  wipe(node: ChainNode): void {
    this.crash(node)
    node.wipe()
    this.#renew(node)
    // When nobody else has found the network yet, it is gone: the first node founds one again.
    this.#isFounded = this.nodes.some(({ kept }) => readNetwork(kept) !== undefined)
  }

  /** Who moves then is found again: a network whose nodes all move unseen is not. */
  get isAcquainted(): boolean {
    return this.#whole?.areAcquainted(this.nodes.filter(node => this.isMember(node))) === true
  }

  /** A whole node goes down, and will live at another address. */
  move(node: ChainNode): void {
    this.crash(node)
    this.#whole?.settle(node.name, this.#whole.freeAddress(node.name))
  }

  /** A new node of the network. */
  join(node: ChainNode): void {
    this.#admit(node)
    this.#joining.add(node.id)
    this.start(node)
    this.tellAll()
  }

  /** The node is to leave: it serves until nothing needs it. */
  depart(node: ChainNode): void {
    const member = this.members.get(node.id)
    const isHere = this.#whole === undefined || node.driver !== undefined
    if (member === undefined || !isHere) return
    this.members.set(node.id, { ...member, status: 'leaving' })
    if (this.#whole === undefined) return this.tellAll()
    const { driver } = node
    void node.whole?.ring?.allNodes.depart(new AbortController().signal).then(
      () => {
        if (node.driver === driver) this.retire(node)
      },
      () => {
        if (node.driver === driver) this.members.set(node.id, member)
      },
    )
  }

  /** A leaving node that holds nothing any more is gone. */
  retire(node: ChainNode): void {
    this.#gone(node.id)
    this.crash(node)
    this.tellAll()
  }

  /** A node that joins is told the starts that one of the others remembers. */
  #tellBoots(node: ChainNode): void {
    const running = this.nodes.filter(other => other !== node && other.running && this.isMember(other))
    const { machine } = running.length === 0 ? node : this.#random.pick(running)
    if (machine === undefined) return
    node.handle({ kind: 'boots', boots: [...machine.peers, [machine.self, machine.boot]] })
  }

  /** Tells a node who the members are, at once. */
  tell(node: ChainNode): void {
    if (this.#whole !== undefined) return
    node.handle({ kind: 'members', members: [...this.members.values()] })
  }

  /** Tells every running node who the members are, each after a while of its own. */
  tellAll(): void {
    for (const node of this.nodes) this.#tell(node)
  }

  #tell(node: ChainNode): void {
    if (this.#whole !== undefined) return
    this.#components.clock.after(this.#random.between(NEWS_MS[0], NEWS_MS[1]), () => {
      if (node.running) this.tell(node)
    })
  }

  #zoneOf(name: NodeName): string | undefined {
    const number = Number(name.slice(1)) - 1
    return this.#init.zones === 0 ? undefined : `zone ${number % this.#init.zones}`
  }

  #admit(node: ChainNode): void {
    this.#byId.set(node.id, node.name)
    const zone = this.#zoneOf(node.name)
    // A node stands where its address was when it joined, unless it is given another place (membership/places.ts).
    const address = this.#whole?.addressOf(node.name) ?? addressOf(node.name)
    const identifiers = identifiersOfAddress(address, 1)
    this.members.set(node.id, { node: node.id, identifiers, zone, status: 'member' })
  }

  #gone(id: NodeId): void {
    const member = this.members.get(id)
    if (member !== undefined) this.members.set(id, { ...member, status: 'gone' })
  }

  #renew(node: ChainNode): void {
    const wasMember = this.members.has(node.id)
    this.#gone(node.id)
    const life = (this.#lives.get(node.name) ?? 0) + 1
    this.#lives.set(node.name, life)
    node.id = `${node.name}.${life}` as NodeId
    if (wasMember) this.#admit(node)
    if (wasMember) this.#joining.add(node.id)
    this.tellAll()
  }

  #createNode(name: NodeName): ChainNode {
    const { random, stepped, durable, asked, answered, readAtOnce } = this.#components
    const clock = drawClock(random.fork('clocks'), random.fork(`clock ${name}`))
    return new ChainNode(
      {
        clock: this.#components.clock,
        random: random.fork(`node ${name}`),
        stepped,
        durable,
        asked,
        answered,
        readAtOnce,
        send: envelope => this.#send(name, envelope),
        said: envelope => this.#components.sent(envelope),
        restarted: node => this.tell(node),
        stopped: (node, why) => this.#stopped(node, why),
        losing: node => this.#components.losing?.(node),
      },
      { name, clock, settings: this.#init.settings, whole: this.#wholeSetting(name) },
    )
  }

  #wholeSetting(name: NodeName) {
    const whole = this.#whole
    if (whole === undefined) return undefined
    whole.settle(name, addressOf(name))
    return {
      wire: whole.wireOf(name),
      address: () => whole.addressOf(name) as Address,
      ...{ zone: this.#zoneOf(name), gossips: this.#init.gossips === true },
      ...{ routing: routingOf(this.#init.routing, name), consistency: this.#init.consistency },
      boots: () => this.#bootsOf(name),
    }
  }

  /** Whom a whole node asks for the network: all others that should be in it. */
  #bootsOf(name: NodeName): Address[] {
    if (!this.#isFounded && this.nodes[0]?.name === name) return []
    const others = this.nodes.filter(node => node.name !== name && this.isMember(node))
    return others.flatMap(node => this.#whole?.addressOf(node.name) ?? [])
  }

  #stopped(node: ChainNode, why: StopReason): void {
    this.#components.transcript.note(node.name, 'stops', '*', why)
    if (why !== 'impostor') this.crash(node)
    if (why === 'alone') this.#components.clock.after(AGAIN_MS, () => this.start(node))
    if (why !== 'impostor') return
    this.wipe(node)
    this.#components.clock.after(20, () => this.start(node))
  }

  #send(from: NodeName, envelope: Envelope): void {
    this.#components.sent(envelope)
    const to = this.#byId.get(envelope.to)
    if (to === undefined) return
    this.network.send(from, to, envelope)
    const link = `${from}>${to}`
    if (!this.network.isCut(from, to)) this.#stalledAtMs.delete(link)
    else if (!isBody(envelope)) this.#goRound(from, to, envelope, link)
  }

  /**
   * What a link does not carry goes round through a third node, another one each time, as ring-node/detours.ts has it: as
   * soon as the direct way has stood still for half of the wait for an answer. Large bodies do not.
   */
  #goRound(from: NodeName, to: NodeName, envelope: Envelope, link: string): void {
    const { network, nodes } = this
    const { clock } = this.#components
    const nowMs = clock.monotonicMs()
    const stalledAtMs = this.#stalledAtMs.get(link) ?? nowMs
    this.#stalledAtMs.set(link, stalledAtMs)
    const stallMs = this.#init.settings.answerTimeoutMs / 2
    clock.after(Math.max(0, stalledAtMs + stallMs - nowMs), () => {
      const thirds = nodes.filter(({ name, running }) => running && name !== from && name !== to)
      const third = thirds[this.#detours++ % Math.max(1, thirds.length)]?.name
      if (third === undefined || network.isCut(from, third) || network.isCut(third, to)) return
      network.send(third, to, envelope)
    })
  }

  #deliver(from: NodeName, to: NodeName, packet: Packet): void {
    const { transcript } = this.#components
    const link = `${from}>${to}`
    if ('frame' in packet) {
      transcript.note(link, packet.frame.kind, [], () => packet.frame.id)
      return this.#whole?.deliver(from, to, packet)
    }
    const { message } = packet
    transcript.note(link, message.kind, subjectsOf(message), () => JSON.stringify(message))
    if (this.#whole !== undefined) return this.#whole.deliver(from, to, packet)
    this.node(to).handle({ kind: 'message', envelope: packet })
  }
}

/** Where a node is at first. */
function addressOf(name: NodeName): Address {
  return `${name}:5000` as Address
}

export function identifiersOf(name: NodeName): Identifier[] {
  return identifiersOfAddress(addressOf(name), 1)
}
