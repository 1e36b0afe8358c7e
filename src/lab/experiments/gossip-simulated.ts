/**
 * Gossip in networks of thousands of nodes, simulated lightly: the rules of src/membership/gossip and nothing else of a node. It measures how
 * soon a crash is known to all, whether a living node is ever doubted, what a round costs, and how many rounds news needs.
 */

import type { Beat, Told } from '../../calls/gossip-message.ts'
import { type Belief, Beliefs } from '../../membership/gossip/beliefs.ts'
import { LocalHealth } from '../../membership/gossip/local-health.ts'
import { Pairs } from '../../membership/gossip/pairs.ts'
import { failMsNeeded } from '../../membership/gossip/settings.ts'
import { chooseTargets, watchedBy } from '../../membership/gossip/targets.ts'
import { encode } from '../../peer/wire.ts'
import type { NodeId } from '../../ring/identifier.ts'
import { SeededRandom } from '../simulator/seeded-random.ts'

export interface GossipScenario {
  readonly nodes: number
  readonly seed: number
  readonly fanOut: number
  /** T_fail, in periods. */
  readonly failPeriods: number
  /** Of messages, those that are lost. */
  readonly loss: number
  /** Share of the nodes that stand still for a while in each period, and for how many periods at the most. */
  readonly stalls: number
  readonly stallPeriods: number
  /** Periods without a crash, in which nobody may be doubted; then one node crashes. */
  readonly calmPeriods: number
  /** Where nodes know each other in groups alone, as in Kelips: how many groups there are; one where nothing is said. */
  readonly groups?: number
}

/** Who of a group is known to have failed, after many nodes crashed at once. */
export interface MassCrashFigure {
  /** After each period, the share of the pairs of a survivor and a node of its group that is gone which the survivor believes to have failed. */
  readonly knownShare: readonly number[]
  /** Periods until half, 99 % and all of these pairs; NaN when that does not come about. */
  readonly halfPeriods: number
  readonly nearlyAllPeriods: number
  readonly allPeriods: number
  /** Survivors that somebody believed to have failed. */
  readonly livingFailed: number
}

/** Contacts that a node has in each other group. */
const CONTACTS = 3

export interface GossipFigure {
  /** Periods from the crash until the first, the middle and the last survivor believes that the node has failed; NaN when one never does. */
  readonly firstPeriods: number
  readonly middlePeriods: number
  readonly lastPeriods: number
  /** Living nodes that were suspected, and that failed, for each node and a thousand periods. */
  readonly suspected: number
  readonly failed: number
  /** Sent by a node in a period, all bytes of the messages and their answers, without HTTP. */
  readonly bytesPerPeriod: number
  /** Rounds until a pair was at every node. */
  readonly pairRounds: number
}

/** A period, ms. Only shares of it matter. */
const PERIOD_MS = 1_000

/** Periods after a crash in which it is waited for, in T_fail. */
const PATIENCE = 4

interface SimulatedNode {
  readonly index: number
  readonly id: NodeId
  readonly beliefs: Beliefs
  readonly health: LocalHealth
  readonly pairs: Pairs
  readonly watched: SimulatedNode[]
  /** Whom it knows. */
  known: readonly SimulatedNode[]
  /** The same by their names; undefined where that is everybody. */
  knownIds: ReadonlySet<NodeId> | undefined
  readonly watchedIds: ReadonlySet<NodeId>
  /** Until then it stands still, ms. */
  stallsUntilMs: number
  isGone: boolean
}

export function runGossip(scenario: GossipScenario): GossipFigure {
  return new GossipWorld(scenario).run()
}

/** A share of the nodes crashes in the same moment. */
export function runMassCrash(scenario: GossipScenario, share: number): MassCrashFigure {
  return new GossipWorld(scenario).massCrash(share)
}

/** T_fail that a network of this size needs, in periods. */
export function failPeriodsNeeded(nodes: number): number {
  return failMsNeeded({ periodMs: PERIOD_MS }, nodes) / PERIOD_MS
}

/** Groups are runs of nodes of the same length, or nearly. */
function groupOf<Item>(inOrder: readonly Item[], index: number, groups: number): readonly Item[] {
  return membersOf(inOrder, Math.floor((index * groups) / inOrder.length), groups)
}

function membersOf<Item>(inOrder: readonly Item[], group: number, groups: number): readonly Item[] {
  const end = (each: number) => Math.ceil((each * inOrder.length) / groups)
  return inOrder.slice(end(group), end(group + 1))
}

class GossipWorld {
  readonly #scenario: GossipScenario
  readonly #random: SeededRandom
  readonly #nodes: readonly SimulatedNode[]
  readonly #byId: ReadonlyMap<NodeId, SimulatedNode>
  readonly #times: number
  #round = 0
  #bytes = 0
  #sampled = 0
  readonly #changes: Record<Belief, number> = { alive: 0, suspect: 0, failed: 0 }

  constructor(scenario: GossipScenario) {
    this.#scenario = scenario
    this.#random = new SeededRandom(scenario.seed)
    this.#times = Math.ceil(Math.log(scenario.nodes + 1)) + 1
    const ids = Array.from({ length: scenario.nodes }, (_, i) => String(i).padStart(32, '0') as NodeId)
    const nodes = ids.map((id, index): SimulatedNode => {
      const watchedIds = watchedBy(id, groupOf(ids, index, scenario.groups ?? 1))
      const beliefs = new Beliefs({ self: id, boot: 1_000_000, zoneOf: () => undefined })
      beliefs.watch(watchedIds, () => true, { nodes: ids.length, nowMs: 0 })
      for (const node of watchedIds) beliefs.hear({ node, boot: 1_000_000, seq: 0 }, 0)
      return {
        ...{ index, id, beliefs, health: new LocalHealth(), pairs: new Pairs({ self: id }) },
        ...{
          watched: [],
          known: [],
          knownIds: undefined,
          watchedIds: new Set(watchedIds),
          stallsUntilMs: 0,
          isGone: false,
        },
      }
    })
    for (const node of nodes)
      for (const id of node.watchedIds) node.watched.push(nodes[Number(id)] as SimulatedNode)
    // Nodes do not tick in the order of their names.
    const phases = nodes.map(node => [this.#random.between(0, 1), node] as const)
    this.#nodes = phases.sort(([a], [b]) => a - b).map(([, node]) => node)
    this.#byId = new Map(this.#nodes.map(node => [node.id, node]))
    if ((scenario.groups ?? 1) === 1) for (const node of nodes) node.known = this.#nodes
    else
      for (const node of nodes) {
        node.known = this.#knownTo(node, nodes)
        node.knownIds = new Set(node.known.map(({ id }) => id))
      }
  }

  /** In groups: those of its own, and some contacts in each other one. */
  #knownTo({ index }: SimulatedNode, nodes: readonly SimulatedNode[]): readonly SimulatedNode[] {
    const groups = this.#scenario.groups ?? 1
    const own = groupOf(nodes, index, groups)
    const others = Array.from({ length: groups }, (_, group) => membersOf(nodes, group, groups))
    const contacts = others
      .filter(([first]) => first !== own[0])
      .flatMap(group => Array.from({ length: CONTACTS }, () => this.#random.pick(group)))
    return [...own, ...contacts]
  }

  massCrash(share: number): MassCrashFigure {
    const { calmPeriods, failPeriods, groups = 1 } = this.#scenario
    for (let period = 0; period < calmPeriods; period++) this.#passPeriod()
    const before = this.#changes.failed
    const inOrder = [...this.#nodes].sort((a, b) => a.index - b.index)
    const left = [...this.#nodes]
    for (let gone = Math.round(share * this.#nodes.length); gone > 0; gone--) {
      const [victim] = left.splice(this.#random.int(0, left.length - 1), 1)
      if (victim !== undefined) victim.isGone = true
    }
    const pairs = left.flatMap(node =>
      groupOf(inOrder, node.index, groups)
        .filter(({ isGone, id }) => isGone && node.watchedIds.has(id))
        .map(({ id }) => ({ node, id })),
    )
    const knownShare: number[] = []
    for (let period = 1; period <= PATIENCE * failPeriods && (knownShare.at(-1) ?? 0) < 1; period++) {
      this.#passPeriod()
      knownShare.push(pairs.filter(({ node, id }) => node.beliefs.isFailed(id)).length / pairs.length)
    }
    const after = (wanted: number) => {
      const index = knownShare.findIndex(known => known >= wanted)
      return index < 0 ? Number.NaN : index + 1
    }
    return {
      knownShare,
      ...{ halfPeriods: after(0.5), nearlyAllPeriods: after(0.99), allPeriods: after(1) },
      livingFailed: this.#changes.failed - before,
    }
  }

  run(): GossipFigure {
    const { calmPeriods, nodes, failPeriods } = this.#scenario
    for (let period = 0; period < calmPeriods; period++) this.#passPeriod()
    const suspected = this.#changes.suspect
    const { failed } = this.#changes
    const bytesPerPeriod = this.#sampled === 0 ? 0 : this.#bytes / this.#sampled
    const pairRounds = this.#spreadPair()
    const perThousand = 1_000 / (nodes * calmPeriods)
    const found = this.#crash(PATIENCE * failPeriods).sort((a, b) => a - b)
    const isKnownToAll = found.length === nodes - 1
    return {
      firstPeriods: found[0] ?? Number.NaN,
      middlePeriods: found[found.length >> 1] ?? Number.NaN,
      lastPeriods: isKnownToAll ? (found.at(-1) as number) : Number.NaN,
      ...{ suspected: suspected * perThousand, failed: failed * perThousand },
      ...{ bytesPerPeriod, pairRounds },
    }
  }

  /** @returns after how many periods each survivor has come to believe it. */
  #crash(periodsMax: number): number[] {
    const victim = this.#nodes[this.#random.int(0, this.#nodes.length - 1)] as SimulatedNode
    victim.isGone = true
    const found = new Set<SimulatedNode>()
    const times: number[] = []
    for (let period = 1; period <= periodsMax && found.size < this.#nodes.length - 1; period++) {
      this.#passPeriod()
      for (const node of this.#nodes) {
        if (node.isGone || found.has(node) || !node.beliefs.isFailed(victim.id)) continue
        found.add(node)
        times.push(period)
      }
    }
    return times
  }

  #spreadPair(): number {
    const nowMs = this.#round * PERIOD_MS
    const origin = this.#nodes[this.#random.int(0, this.#nodes.length - 1)] as SimulatedNode
    origin.pairs.set('color', 'blue', 3_600_000, nowMs)
    for (let rounds = 1; rounds <= 1_000; rounds++) {
      this.#passPeriod()
      if (this.#nodes.every(({ pairs }) => pairs.get('color', nowMs) !== undefined)) return rounds
    }
    return Number.NaN
  }

  #passPeriod(): void {
    this.#round++
    const nowMs = this.#round * PERIOD_MS
    for (const node of this.#nodes) {
      if (node.isGone) continue
      if (nowMs < node.stallsUntilMs) continue
      this.#wake(node, nowMs)
      this.#tick(node, nowMs)
      if (this.#random.chance(this.#scenario.stalls))
        node.stallsUntilMs = nowMs + PERIOD_MS * this.#random.int(1, this.#scenario.stallPeriods)
    }
  }

  /** It may have stood still. */
  #wake(node: SimulatedNode, nowMs: number): void {
    if (node.stallsUntilMs === 0) return
    const lateMs = PERIOD_MS * Math.max(1, this.#scenario.stallPeriods / 2)
    node.stallsUntilMs = 0
    node.beliefs.stoodStill(lateMs)
    node.health.late(lateMs, PERIOD_MS)
    void nowMs
  }

  #tick(node: SimulatedNode, nowMs: number): void {
    const { beliefs, health, watched } = node
    beliefs.beat()
    const failMs = this.#scenario.failPeriods * PERIOD_MS * health.factor
    for (const suspect of beliefs.look(nowMs, failMs)) this.#probe(node, suspect, nowMs)
    this.#count(node)
    const isTold = (other: SimulatedNode) => other !== node && !beliefs.isFailed(other.id)
    const targets = chooseTargets({
      watched: watched.filter(isTold),
      all: node.known,
      count: this.#scenario.fanOut,
      round: this.#round,
      roundTripMs: () => 0,
      draw: () => this.#random.between(0, 1),
    }).filter(isTold)
    // As in the program: the silence of one that is suspected has been noticed.
    const expected = targets.filter(({ id }) => beliefs.of(id)?.belief === 'alive')
    const heard = new Set(targets.filter(target => this.#exchange(node, target, nowMs)))
    if (expected.length > 1 && expected.every(target => !heard.has(target))) health.heardNobody()
    else health.well()
  }

  #answers(node: SimulatedNode, nowMs: number): boolean {
    return !node.isGone && nowMs >= node.stallsUntilMs && !this.#random.chance(this.#scenario.loss)
  }

  /** One tells the other, and is answered. Each way may be lost. */
  #exchange(from: SimulatedNode, to: SimulatedNode, nowMs: number): boolean {
    const said = this.#say(from, to, nowMs)
    if (!this.#answers(to, nowMs)) return false
    to.beliefs.beat()
    this.#hear(to, said, nowMs)
    const answer = this.#say(to, from, nowMs)
    if (this.#random.chance(this.#scenario.loss)) return false
    this.#hear(from, answer, nowMs)
    return true
  }

  #say(from: SimulatedNode, to: SimulatedNode, nowMs: number) {
    const said = {
      ...from.beliefs.tell(from.watchedIds.has(to.id), this.#times),
      pairs: from.pairs.tell(nowMs, this.#times),
    }
    // Of every node some messages are weighed, and in every period.
    if ((from.index + this.#round) % 16 === 0) {
      this.#bytes += encode({ kind: 'gossip', said }).length
      this.#sampled += 1 / (2 * this.#scenario.fanOut)
    }
    return said
  }

  #hear(
    node: SimulatedNode,
    { beats, doubts, pairs }: Told & { pairs: ReturnType<Pairs['tell']> },
    nowMs: number,
  ) {
    // As in the program: of a node that is not on the map nothing is heard.
    const isKnown = ({ node: about }: Beat) => node.knownIds === undefined || node.knownIds.has(about)
    for (const beat of beats.filter(isKnown)) node.beliefs.hear(beat, nowMs)
    for (const doubt of doubts.filter(isKnown))
      if (node.beliefs.doubted(doubt, nowMs) === 'refute') node.health.wasDoubted()
    for (const pair of pairs) node.pairs.hear(pair, nowMs, 0)
    this.#count(node)
  }

  /** The node itself, and three others, as in the driver. */
  #probe(node: SimulatedNode, suspect: NodeId, nowMs: number): void {
    const target = this.#byId.get(suspect) as SimulatedNode
    const ways = [node, ...Array.from({ length: 3 }, () => this.#random.pick(node.watched))]
    const reached = ways.some(
      way =>
        way !== target && (way === node || this.#answers(way, nowMs)) && this.#exchange(way, target, nowMs),
    )
    if (!reached) node.beliefs.notReached(suspect)
    else node.beliefs.hear(target.beliefs.ownBeat, nowMs)
  }

  #count(node: SimulatedNode): void {
    for (const { node: about, belief } of node.beliefs.takeChanges())
      if (!(this.#byId.get(about) as SimulatedNode).isGone) this.#changes[belief]++
  }
}
