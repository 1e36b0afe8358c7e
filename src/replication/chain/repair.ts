/**
 * Owns the way of a range towards its k successors: one change of view at a time, planned purely, carried out by the
 * first live replica (by another one after a while).
 *
 * In this order: without the dead, at once; cut where the identifiers of nodes fall; with one more replica, after it has
 * copied the range while the old view serves; then the right order, acceptors and number.
 */
import { type Arc, arcContains, splitArc } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import {
  childrenOf,
  chooseAcceptors,
  type NodeId,
  type Plan,
  type View,
  type ViewId,
} from '../../views/view.ts'
import { startProposal } from './deciding.ts'
import { finishSealed } from './installing.ts'
import { isAlive, probe } from './liveness.ts'
import { backOffMs, type Machine, type Member, newTag, send, setTimer } from './machine-state.ts'

/** What to do next with a range. */
export type RepairStep =
  | { readonly kind: 'propose'; readonly plans: readonly Plan[] }
  | { readonly kind: 'pre-copy'; readonly node: NodeId; readonly plans: readonly Plan[] }

/** What a plan is made from. `isAlive` is a belief. */
export interface RepairInput {
  readonly view: View
  readonly active: boolean
  readonly members: Iterable<Member>
  readonly isAlive: (node: NodeId) => boolean
  readonly copies: number
}

/** The distinct nodes in ring order from a position on (Chord, section 4.2), that may be given something. */
export function successorsOf(
  position: Identifier,
  members: Iterable<Member>,
  isAlive: (node: NodeId) => boolean,
): NodeId[] {
  const points: [Identifier, NodeId][] = []
  for (const { node, identifiers, status } of members) {
    if (status !== 'member' || !isAlive(node)) continue
    for (const identifier of identifiers) points.push([identifier, node])
  }
  points.sort(([a], [b]) => (a < b ? -1 : 1))
  const from = points.findIndex(([identifier]) => identifier >= position)
  const ordered = from <= 0 ? points : [...points.slice(from), ...points.slice(0, from)]
  return [...new Set(ordered.map(([, node]) => node))]
}

/** The next step, or undefined when the range is as it should be, or nobody is left to do anything. */
export function nextStep(input: RepairInput): RepairStep | undefined {
  const { view, copies } = input
  const members = [...input.members]
  const successors = successorsOf(view.hi, members, input.isAlive)
  const suspects = successorsOf(view.hi, members, node => !input.isAlive(node))
  const live = view.replicas.filter(input.isAlive)
  if (live.length === 0 || successors.length === 0) return undefined
  const plan = (arc: Arc, replicas: readonly NodeId[]): Plan => ({
    lo: arc.lo,
    hi: arc.hi,
    replicas,
    acceptors: chooseAcceptors(replicas, successors, suspects, copies, view.acceptors),
  })
  if (live.length < view.replicas.length) return { kind: 'propose', plans: [plan(view, live)] }
  if (!input.active) return undefined
  const cut = firstCut(view, members, input.isAlive)
  if (cut !== undefined) {
    return { kind: 'propose', plans: splitArc(view, cut).map(arc => plan(arc, view.replicas)) }
  }
  const target = successors.slice(0, copies)
  const joining = target.find(node => !view.replicas.includes(node))
  if (joining !== undefined) {
    const wanted = [...target.filter(node => node === joining || view.replicas.includes(node))]
    const others = view.replicas.filter(node => !target.includes(node))
    const replicas = [...wanted, ...others].slice(0, Math.max(copies, wanted.length))
    return { kind: 'pre-copy', node: joining, plans: [plan(view, replicas)] }
  }
  const right = plan(view, target)
  const same = sameNodes(right.replicas, view.replicas) && sameNodes(right.acceptors, view.acceptors)
  return same ? undefined : { kind: 'propose', plans: [right] }
}

/** The first identifier of a live member strictly inside the range. */
function firstCut(
  view: View,
  members: readonly Member[],
  isAlive: (node: NodeId) => boolean,
): Identifier | undefined {
  for (const { node, identifiers, status } of members) {
    if (status !== 'member' || !isAlive(node)) continue
    for (const identifier of identifiers)
      if (identifier !== view.hi && arcContains(view, identifier)) return identifier
  }
  return undefined
}

function sameNodes(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node, index) => node === b[index])
}

/** Looks at a range soon; the first live replica sooner than the others. */
export function planRepair(m: Machine, viewId: ViewId, tries = 0): void {
  const state = m.views.get(viewId)
  if (state === undefined || m.repairing.has(viewId) || !state.view.replicas.includes(m.self)) return
  m.repairing.add(viewId)
  const turn = state.view.replicas.filter(node => isAlive(m, node)).indexOf(m.self)
  const afterMs =
    m.settings.retryMs +
    Math.max(0, turn) * 4 * m.settings.answerTimeoutMs +
    (tries === 0 ? 0 : backOffMs(m, tries))
  setTimer(m, afterMs, { kind: 'repair', viewId, tries: tries + 1 })
}

/** How often one range is looked at in a row. */
const REPAIRS_MAX = 30

export function onRepair(m: Machine, viewId: ViewId, tries: number): void {
  m.repairing.delete(viewId)
  const state = m.views.get(viewId)
  if (state === undefined || state.next !== undefined) return
  if (state.sealed) finishSealed(m, state)
  else {
    const step = stepFor(m, viewId)
    if (step === undefined) return
    if (step.kind === 'propose') proposePlans(m, viewId, step.plans)
    else {
      send(m, step.node, { kind: 'pre-copy', view: state.view })
      probe(m, step.node)
    }
  }
  if (tries < REPAIRS_MAX) planRepair(m, viewId, tries)
}

/** The range has been copied: now the view may change. */
export function onPreCopied(m: Machine, from: NodeId, viewId: ViewId): void {
  const step = stepFor(m, viewId)
  if (step?.kind === 'pre-copy' && step.node === from) proposePlans(m, viewId, step.plans)
}

function stepFor(m: Machine, viewId: ViewId): RepairStep | undefined {
  const state = m.views.get(viewId)
  if (state === undefined || state.sealed || !state.view.replicas.includes(m.self)) return undefined
  if (m.members.size === 0) return undefined
  return nextStep({
    view: state.view,
    active: state.active,
    members: m.members.values(),
    isAlive: node => isAlive(m, node),
    copies: m.settings.replicas,
  })
}

function proposePlans(m: Machine, viewId: ViewId, plans: readonly Plan[]): void {
  const state = m.views.get(viewId)
  if (state === undefined) return
  startProposal(m, state.view, childrenOf(state.view, plans, newTag(m), state.active && state.complete))
}

/** Replaces a view by its like, as an operator or a test may want. */
export function renewView(m: Machine, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined || state.sealed) return
  const { lo, hi, replicas, acceptors } = state.view
  proposePlans(m, viewId, [{ lo, hi, replicas, acceptors }])
}
