/**
 * The way of a range towards the k nodes where ring/placement.ts puts its copies: one change of view at a time, planned purely, carried out by the
 * first live replica (by another one after a while).
 *
 * In this order: without the dead, at once; cut where the identifiers of nodes fall; with one more replica, after it has
 * copied the range while the old view serves; then the right order, acceptors and number.
 */

import { type Arc, splitArc } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import {
  changeRing,
  firstWithin,
  nearSuccessors,
  placeReplicas,
  type RingPosition,
  sortRing,
  spreadOverZones,
  successorsOf,
  type Zones,
  zonesOf,
} from '../../ring/placement.ts'
import {
  childrenOf,
  chooseAcceptors,
  type NodeId,
  type Plan,
  type View,
  type ViewId,
} from '../../views/view.ts'
import { askAboutStrangers, isMissing, membersOf } from './acquaintance.ts'
import { proposePlan } from './deciding.ts'
import { finishSealed } from './finishing.ts'
import { isAlive, learnMembers, probe } from './liveness.ts'
import {
  backOffMs,
  type Member,
  type MembersChange,
  newTag,
  send,
  type TimerEvent,
  tell,
} from './machine-state.ts'
import { noteChange, type Repeating, restMs } from './repeated-changes.ts'
import { isDue, lookAgain } from './series.ts'
import { completeView, isSettled, type Sparing } from './spares.ts'

export interface Repairing extends Sparing, Repeating {
  /** Made from the members when it is needed, and changed with them. */
  ring: { members: ReadonlyMap<NodeId, Member>; readonly positions: RingPosition[] } | undefined
  /** Who lives, by zones, as of so many beliefs. */
  zones: { readonly beliefs: number; readonly live: Zones } | undefined
}

/** What to do next with a range. */
export type RepairStep =
  | { readonly kind: 'propose'; readonly plans: readonly Plan[] }
  /** `part`: of the range, where the node is to take over no more. */
  | {
      readonly kind: 'pre-copy'
      readonly node: NodeId
      readonly part?: Arc | undefined
      readonly plans: readonly Plan[]
    }

/** What a plan is made from. `isAlive` is a belief. */
export interface RepairInput {
  readonly view: View
  readonly active: boolean
  /** Of the members that may be given something, sorted. */
  readonly ring: readonly RingPosition[]
  readonly isAlive: (node: NodeId) => boolean
  /** Of the nodes on the ring that live. */
  readonly zones: () => Zones
  /** Whether this node has heard of another one at all, be it that it is gone. */
  readonly isKnown: (node: NodeId) => boolean
  /** Whether a majority of the acceptors has said that it has never heard of it. */
  readonly isMissing: (node: NodeId) => boolean
  readonly copies: number
}

/** The positions of the nodes that may be given something, in ring order. */
export function ringOf(members: Iterable<Member>): RingPosition[] {
  return sortRing([...members].flatMap(positionsOf))
}

function positionsOf({ node, identifiers, zone, status }: Member): RingPosition[] {
  return status === 'member' ? identifiers.map(identifier => ({ identifier, nodeId: node, zone })) : []
}

/** The same as this node believes them to be. */
export function ringAt(m: Repairing): readonly RingPosition[] {
  m.ring ??= { members: m.members, positions: ringOf(m.members.values()) }
  if (m.ring.members !== m.members) followMembers(m, m.ring)
  return m.ring.positions
}

/** A change of few members costs what their positions cost, and not what the ring does. */
function followMembers(m: Repairing, ring: NonNullable<Repairing['ring']>): void {
  const { members } = m
  const before = ring.members
  const gone = [...before.values()].filter(member => members.get(member.node) !== member)
  const come = [...members.values()].filter(member => before.get(member.node) !== member)
  if (come.length > members.size / 8) m.ring = { members, positions: ringOf(members.values()) }
  else {
    changeRing(ring.positions, { gone: gone.flatMap(positionsOf), come: come.flatMap(positionsOf) })
    ring.members = members
  }
}

/** Some members have changed, and the ring is changed with them. */
export function changeMembers(m: Repairing, change: MembersChange): void {
  const isLarge = change.members.length > m.members.size / 8
  const positions = m.ring === undefined || isLarge ? undefined : (ringAt(m) as RingPosition[])
  const nodes = [...change.members.map(({ node }) => node), ...change.forgotten]
  const before = nodes.flatMap(node => m.members.get(node) ?? [])
  learnMembers(m, change)
  if (positions === undefined) m.ring = undefined
  else changeRing(positions, { gone: before.flatMap(positionsOf), come: change.members.flatMap(positionsOf) })
}

/** Who lives, by zones, among those that may be given something. */
function liveZones(m: Repairing): Zones {
  if (m.zones?.beliefs !== m.beliefs) {
    const live = [...m.members.values()].filter(({ node, status }) => status === 'member' && isAlive(m, node))
    m.zones = { beliefs: m.beliefs, live: zonesOf(live.map(({ zone }) => ({ zone }))) }
  }
  return m.zones.live
}

/** The next step, or undefined when the range is as it should be, or nobody is left to do anything. */
export function nextStep(input: RepairInput): RepairStep | undefined {
  const { view, copies, isAlive } = input
  const among = { isIn: isAlive, zones: input.zones }
  // As many as the acceptors can be, beside the replicas. A single acceptor is chosen among all.
  const wanted = copies > 1 ? 2 * copies + view.replicas.length : Number.POSITIVE_INFINITY
  const near = nearSuccessors(input.ring, view.hi, wanted, among)
  const live = view.replicas.filter(isAlive)
  if (live.length === 0 || near.length === 0) return undefined
  const successors = stayingFirst(spreadOverZones(near).slice(0, wanted), view.acceptors)
  // One that was never heard of here may well live: whoever chose it knew more of the network.
  const strangers = view.acceptors.filter(node => !input.isKnown(node) && !input.isMissing(node))
  const doubtful =
    near.length < 3
      ? [...strangers, ...deadSuccessors(input)]
      : near.length < 2 * copies - 1
        ? silentSuccessors(input)
        : []
  const plan = (arc: Arc, replicas: readonly NodeId[]): Plan => ({
    lo: arc.lo,
    hi: arc.hi,
    replicas,
    acceptors: chooseAcceptors(replicas, successors, doubtful, copies, view.acceptors),
  })
  if (live.length < view.replicas.length) return { kind: 'propose', plans: [plan(view, live)] }
  if (!input.active) return undefined
  const target = (key: Identifier) => placeReplicas(input.ring, key, copies, among)
  const cut = firstWithin(input.ring, view, isAlive)
  if (cut !== undefined) {
    const arcs = splitArc(view, cut.identifier)
    const [lower, upper] = arcs
    const isLast = firstWithin(input.ring, upper, isAlive) === undefined
    // Whoever has come copies its part first, and takes it over with the cut: one change in place of two. Where more cuts are to be
    // made they come first, so that all who take a part copy at the same time.
    const moved = isLast ? withOneMore(view.replicas, target(lower.hi), copies) : undefined
    if (moved?.joining !== cut.nodeId)
      return { kind: 'propose', plans: arcs.map(arc => plan(arc, view.replicas)) }
    const plans = [plan(lower, moved.replicas), plan(upper, view.replicas)]
    return { kind: 'pre-copy', node: cut.nodeId, part: lower, plans }
  }
  const more = withOneMore(view.replicas, target(view.hi), copies)
  if (more !== undefined) return { kind: 'pre-copy', node: more.joining, plans: [plan(view, more.replicas)] }
  // To replace a stranger by one that may be gone by now, out of an older belief, can cost the range its majority.
  if (strangers.length > 0) return undefined
  const right = plan(view, target(view.hi))
  const same =
    sameNodes(right.replicas, view.replicas) &&
    sameNodes([...right.acceptors].sort(), [...view.acceptors].sort())
  return same ? undefined : { kind: 'propose', plans: [right] }
}

/** The replicas of a range with the first one that it lacks; undefined when it lacks none. */
function withOneMore(replicas: readonly NodeId[], target: readonly NodeId[], copies: number) {
  const joining = target.find(node => !replicas.includes(node))
  if (joining === undefined) return undefined
  const wanted = target.filter(node => node === joining || replicas.includes(node))
  const others = replicas.filter(node => !target.includes(node))
  return { joining, replicas: [...wanted, ...others].slice(0, Math.max(copies, wanted.length)) }
}

/**
 * Who decides already goes on with it as long as it is near: one that comes between changes nothing for a range that it keeps no copy
 * of (docs/decisions/0466). Where zones are known, their order goes before that.
 */
function stayingFirst(successors: readonly RingPosition[], acceptors: readonly NodeId[]): NodeId[] {
  const nodes = nodesOf(successors)
  if (successors.some(({ zone }) => zone !== undefined)) return nodes
  return [
    ...nodes.filter(node => acceptors.includes(node)),
    ...nodes.filter(node => !acceptors.includes(node)),
  ]
}

/** Wanted only where fewer live than can decide. */
function deadSuccessors({ ring, view, isAlive }: RepairInput): NodeId[] {
  const dead = ring.filter(({ nodeId }) => !isAlive(nodeId))
  return nodesOf(successorsOf(dead, view.hi))
}

/** The same, those first that decide already: one that stays changes nothing. */
function silentSuccessors(input: RepairInput): NodeId[] {
  const dead = deadSuccessors(input)
  const decides = (node: NodeId) => input.view.acceptors.includes(node)
  return [...dead.filter(decides), ...dead.filter(node => !decides(node))]
}

function nodesOf(positions: readonly RingPosition[]): NodeId[] {
  return positions.map(({ nodeId }) => nodeId)
}

function sameNodes(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node, index) => node === b[index])
}

/** Looks at a range soon; the first live replica sooner than the others. What was to be looked at later is then done. */
export function planRepair(m: Repairing, viewId: ViewId, tries = 0): void {
  const state = m.views.get(viewId)
  if (state === undefined || !state.view.replicas.includes(m.self)) return
  const turn = state.view.replicas.filter(node => isAlive(m, node)).indexOf(m.self)
  const afterMs =
    m.settings.retryMs +
    Math.max(0, turn) * 4 * m.settings.answerTimeoutMs +
    (tries === 0 ? 0 : backOffMs(m, tries))
  lookAgain(m, 'repair', viewId, { afterMs, tries })
}

/** How often one range is looked at in a row, unless a live node is copying it: that takes as long as it takes. */
const REPAIRS_MAX = 30

export function onRepair(m: Repairing, timer: TimerEvent & { kind: 'repair' }): void {
  if (!isDue(m, timer)) return
  const { viewId, tries } = timer
  const state = m.views.get(viewId)
  if (state === undefined || state.next !== undefined) return
  const step = stepFor(m, viewId)
  if (state.sealed) finishSealed(m, state)
  else {
    if (step === undefined) {
      askAboutStrangers(m, state.view)
      return completeView(m, state)
    }
    const afterMs = restMs(m, viewId, step.plans)
    if (afterMs > 0) return lookAgain(m, 'repair', viewId, { afterMs, tries: 0 })
    if (step.kind === 'propose') proposePlans(m, viewId, step.plans)
    else {
      const part = step.part && { part: step.part }
      send(m, step.node, { kind: 'pre-copy', view: state.view, ...part })
      probe(m, step.node)
    }
  }
  if (tries < REPAIRS_MAX || step?.kind === 'pre-copy') planRepair(m, viewId, tries)
  else tell(m, { kind: 'given-up' })
}

/** The range has been copied: now the view may change. */
export function onPreCopied(m: Repairing, from: NodeId, viewId: ViewId): void {
  const step = stepFor(m, viewId)
  if (step?.kind === 'pre-copy' && step.node === from) proposePlans(m, viewId, step.plans)
}

/** What this node would do next with a range. */
export function stepFor(m: Repairing, viewId: ViewId): RepairStep | undefined {
  const state = m.views.get(viewId)
  if (state === undefined || state.sealed || !state.view.replicas.includes(m.self)) return undefined
  if (m.members.size === 0) return undefined
  return nextStep({
    view: state.view,
    active: state.active,
    ring: ringAt(m),
    isAlive: node => isAlive(m, node),
    zones: () => liveZones(m),
    isKnown: node => m.members.has(node),
    isMissing: node => isMissing(m, state.view, node),
    copies: m.settings.replicas,
  })
}

function proposePlans(m: Repairing, viewId: ViewId, plans: readonly Plan[]): void {
  const state = m.views.get(viewId)
  if (state === undefined || m.proposals.has(viewId)) return
  const known = plans.map(plan => {
    return { ...plan, members: membersOf(m, state.view, [...plan.replicas, ...plan.acceptors]) }
  })
  noteChange(m, viewId, plans)
  proposePlan(m, state.view, childrenOf(state.view, known, newTag(m), isSettled(m, state), state.active))
}

/** Replaces a view by its like, as an operator or a test may want. */
export function renewView(m: Repairing, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined || state.sealed) return
  const { lo, hi, replicas, acceptors } = state.view
  proposePlans(m, viewId, [{ lo, hi, replicas, acceptors }])
}

/** Who has died while a view was decided is not waited for. */
export function onTakenIn(m: Repairing, view: View): void {
  if (view.replicas.some(node => !isAlive(m, node))) planRepair(m, view.id)
}

/** Whoever learns that a node is dead repairs every range that it shares with it. */
export function repairShared(m: Repairing, node: NodeId): void {
  for (const { view } of m.views.values()) {
    if (view.replicas.includes(node) || view.acceptors.includes(node)) planRepair(m, view.id)
  }
}

/** Whoever is named in a view and known to nobody may be replaced. */
export function repairWith(m: Repairing, node: NodeId): void {
  for (const { view } of [...m.views.values()]) if (view.acceptors.includes(node)) planRepair(m, view.id)
}

/** Every range of this node is looked at. */
export function repairAll(m: Repairing): void {
  for (const viewId of [...m.views.keys()]) planRepair(m, viewId)
}
