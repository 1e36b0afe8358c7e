/**
 * `step(state, event)` → effects: the one endpoint into a node's protocol. Synchronous and pure in that it reads no clock,
 * draws no random number and waits for nothing; everything comes in with the event, everything goes out in the Batch.
 */

import { assert } from '../../invariant.ts'
import type { Identifier } from '../../ring/identifier.ts'
import { placeReplicas } from '../../ring/placement.ts'
import type { BlobId } from '../../storage/record.ts'
import { diskBootOf, RESTARTS_MAX } from '../../views/boot.ts'
import {
  type Boot,
  bootName,
  freshState,
  type NodeId,
  type Rank,
  type View,
  type ViewId,
} from '../../views/view.ts'
import { onBodyNowhere, onTargetUnreachable } from '../entry/asking.ts'
import { startRequest } from '../entry/flows.ts'
import type { ClientRequest } from '../entry/requests.ts'
import { admit, learnBoot, onRemembered, onUnknown } from './acquaintance.ts'
import { expireBodies, fillBodies, onBodyLost } from './bodies.ts'
import type { ChainRecord } from './chain-record.ts'
import { onVoterUnreachable, startRounds } from './confirm.ts'
import { newerViews, recover } from './deciding.ts'
import { finishSealed } from './finishing.ts'
import { forgetStrays } from './forgetting.ts'
import { hear, onTimer, receive } from './handlers.ts'
import { watch } from './installing.ts'
import {
  askAgain,
  believe,
  fewOfTheGone,
  heardFrom,
  knowMembers,
  mayBeNeeded,
  onRefusal,
  seekSuspects,
} from './liveness.ts'
import type { Machine, MachineInit, StableState } from './machine-parts.ts'
import { machineState } from './machine-parts.ts'
import {
  type Batch,
  type Member,
  type MembersChange,
  putView,
  send,
  type TimerEvent,
} from './machine-state.ts'
import { mend } from './mending.ts'
import type { Envelope, Tag } from './messages.ts'
import { collectTombstones, resumeChain } from './passing.ts'
import { passTime } from './range-time.ts'
import { changeMembers, planRepair, renewView, repairAll, ringAt } from './repair.ts'
import { forgetChanges } from './repeated-changes.ts'
import { hurrySpares, isLeaving, noteSpare, noteSpares } from './spares.ts'

export function createMachine(stable: StableState, init: MachineInit): Machine {
  return machineState(stable, init, hear)
}

export type MachineEvent =
  /** The first event after a start: what was left unfinished is resumed. */
  | { readonly kind: 'start' }
  /** Only on an empty disk: this node is the network, in views cut at its identifiers. */
  | { readonly kind: 'found'; readonly identifiers: readonly Identifier[] }
  | { readonly kind: 'message'; readonly envelope: Envelope }
  | { readonly kind: 'timer'; readonly timer: TimerEvent }
  | { readonly kind: 'request'; readonly id: string; readonly request: ClientRequest }
  /** Several at once: their reads share the votes that confirm them. */
  | { readonly kind: 'requests'; readonly requests: ReadonlyMap<string, ClientRequest> }
  /** What routing has learned of the network: all nodes. */
  | { readonly kind: 'members'; readonly members: readonly Member[] }
  /** The same, as far as it has changed. */
  | ({ readonly kind: 'members-changed' } & MembersChange)
  /** Views that are only hints here, and that nobody needs. */
  | { readonly kind: 'forget-views'; readonly views: readonly ViewId[] }
  /** Starts of nodes that somebody else remembers: what a node is told when it joins. */
  | { readonly kind: 'boots'; readonly boots: readonly (readonly [NodeId, Boot])[] }
  /** Nodes were asked about one of which nothing is known here, and do not know it. */
  | { readonly kind: 'unknown'; readonly node: NodeId; readonly by: readonly NodeId[] }
  /** A node can't be reached: its machine refuses connections. */
  | { readonly kind: 'unreachable'; readonly node: NodeId }
  /** An operator wants another number of copies. */
  | { readonly kind: 'configure'; readonly replicas: number; readonly minReplicas: number }
  /** What gossip has come to believe of a node. */
  | { readonly kind: 'belief'; readonly node: NodeId; readonly belief: 'alive' | 'failed' }
  /** Tombstones may go. */
  | { readonly kind: 'collect' }
  /** The disk has no room for more: what is only kept as a spare goes as soon as others have it. */
  | { readonly kind: 'short-of-space' }
  /** Staged bodies whose time is over go. */
  | { readonly kind: 'expire' }
  /** The bytes of a body fail their checksum, or are gone. */
  | { readonly kind: 'body-lost'; readonly blobId: BlobId }
  /** A body that a request wants staged is nowhere to be had. */
  | { readonly kind: 'body-nowhere'; readonly tag: Tag }
  /** Another replica's good copy of a record that is damaged or missing here. */
  | { readonly kind: 'mend'; readonly record: ChainRecord }
  /** An operator gives up those who held a range with this node; `basis` is the newest view that they knew of. */
  | { readonly kind: 'recover'; readonly view: View; readonly basis: Rank }
  /** Someone wants a certain view replaced, whether or not it needs to be. */
  | { readonly kind: 'renew'; readonly viewId: ViewId }
  /** Walk over everything and heal it. */
  | { readonly kind: 'verify' }

/**
 * @param nowMs wall clock, ms since 1970; only for stamps and the expiry of staged bodies, nothing else depends on it.
 * @param monotonicMs of the clock that never jumps; it ages what is kept for a time.
 */
export function step(m: Machine, event: MachineEvent, nowMs: number, monotonicMs = nowMs): Batch {
  assert(m.local.length === 0, 'a step begins when the last one is done')
  m.nowMs = nowMs
  passTime(m, monotonicMs)
  m.persist = []
  m.effects = []
  if (!m.halted) handle(m, event)
  for (let next = m.local.shift(); next !== undefined; next = m.local.shift()) {
    if (!m.halted) receive(m, next.from, bootName(next.boot), next.message)
  }
  if (!m.halted) startRounds(m)
  noteSpares(m)
  // Whoever finds out in a step that its disk was restored says nothing more, not even of that step.
  const effects = m.halted ? m.effects.filter(({ kind }) => kind === 'halt') : m.effects
  return { persist: m.persist, effects }
}

function handle(m: Machine, event: MachineEvent): void {
  switch (event.kind) {
    case 'start':
      return start(m)
    case 'found':
      return found(m, event.identifiers)
    case 'message':
      return onEnvelope(m, event.envelope)
    case 'timer':
      return onTimer(m, event.timer)
    case 'request':
      seekSuspects(m)
      return startRequest(m.entry, event.id, event.request)
    case 'requests':
      seekSuspects(m)
      for (const [id, request] of event.requests) startRequest(m.entry, id, request)
      return
    case 'members':
      knowMembers(m, event.members)
      return membersChanged(m)
    case 'members-changed':
      changeMembers(m, event)
      return membersChanged(m)
    case 'boots':
      for (const [node, boot] of event.boots) learnBoot(m, node, boot)
      return
    case 'unknown':
      return onUnknown(m, event.node, event.by)
    case 'unreachable':
      onRefusal(m, event.node)
      onVoterUnreachable(m, event.node)
      return onTargetUnreachable(m.entry, event.node)
    case 'configure':
      return configure(m, event)
    case 'belief':
      return believe(m, event.node, event.belief)
    case 'collect':
      for (const viewId of [...m.views.keys()]) collectTombstones(m, viewId)
      return
    case 'short-of-space':
      return hurrySpares(m)
    case 'expire':
      return expireBodies(m)
    case 'body-lost':
      return onBodyLost(m, event.blobId)
    case 'body-nowhere':
      return onBodyNowhere(m.entry, event.tag)
    case 'mend':
      return mend(m, event.record)
    case 'recover':
      return recover(m, event.view, event.basis)
    case 'renew':
      return renewView(m, event.viewId)
    case 'forget-views':
      return m.table.forget(new Set(event.views.filter(view => !m.views.has(view))))
    case 'verify':
      return verify(m)
  }
}

/** Whatever a restart has interrupted: passes, elections, installations, back-fills. */
function start(m: Machine): void {
  for (const state of [...m.views.values()]) {
    resumeChain(m, state)
    noteSpare(m, state)
  }
  resume(m)
  forgetStrays(m)
  greet(m)
}

/**
 * Whoever took this node for dead learns that it is back. A disk that starts for the first time was waited for by nobody: its join tells all
 * that it is there, and what it knows of their starts is what it was told then.
 */
function greet(m: Machine): void {
  if (m.boot.counter === RESTARTS_MAX) return
  const met = [...m.peers.keys()].filter(node => mayBeNeeded(m, node))
  for (const node of fewOfTheGone(m, met, diskBootOf(m.boot))) send(m, node, { kind: 'ping' })
}

function resume(m: Machine): void {
  for (const state of [...m.views.values()]) {
    const { id } = state.view
    if (state.sealed) finishSealed(m, state)
    else if (!state.active && state.view.replicas.includes(m.self)) watch(m, id, 0)
    if (state.active) fillBodies(m, id, 0)
  }
}

function verify(m: Machine): void {
  resume(m)
  forgetChanges(m)
  for (const node of [...m.suspects]) askAgain(m, node)
  for (const { view } of [...m.views.values()]) {
    planRepair(m, view.id)
    // Whoever held it with this node may be gone: those who should hold the range now know of it, too.
    const owners = placeReplicas(ringAt(m), view.hi, m.settings.replicas)
    for (const node of new Set([...view.replicas, ...view.acceptors, ...owners])) {
      if (node !== m.self) send(m, node, { kind: 'ask-complete', view })
    }
    for (const newer of newerViews(m, view)) {
      send(m, newer.replicas[0] as NodeId, { kind: 'ask-complete', view })
    }
  }
}

function found(m: Machine, identifiers: readonly Identifier[]): void {
  if (m.views.size > 0) throw new TypeError('A node that holds views has a network already.')
  const points = [...identifiers].sort()
  points.forEach((hi, index) => {
    const lo = points.at(index - 1) as Identifier
    const id = `1-${m.self}-${index}` as ViewId
    const view: View = { id, epoch: 1, lo, hi, replicas: [m.self], acceptors: [m.self], sources: [] }
    putView(m, { ...freshState(view), installed: true, active: true, complete: true })
    m.table.learn(view)
  })
  m.persist.push({ kind: 'founded' })
}

/** Every range is looked at: it gets one more replica at a time, or those that are too many leave it in one change. */
function configure(m: Machine, { replicas, minReplicas }: MachineEvent & { kind: 'configure' }): void {
  m.settings = { ...m.settings, replicas, minReplicas }
  forgetChanges(m)
  repairAll(m)
}

function membersChanged(m: Machine): void {
  repairAll(m)
  if (isLeaving(m)) hurrySpares(m)
}

/** A disk shows that it was copied or restored by a boot that others know better; its messages count for nothing. */
function onEnvelope(m: Machine, envelope: Envelope): void {
  const { from, boot, to, message } = envelope
  if (to !== m.self) return
  if (message.kind === 'impostor') return onRemembered(m, message.remembered)
  if (!admit(m, from, boot)) return
  heardFrom(m, from)
  receive(m, from, bootName(boot), message)
}
