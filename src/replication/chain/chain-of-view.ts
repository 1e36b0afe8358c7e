/**
 * What a replica remembers of a view while it runs: what is dirty, what is acknowledged, who waits, and what waits for a body.
 */
import { assert } from '../../invariant.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import type { NodeId, ViewId, ViewState } from '../../views/view.ts'
import type { Ledger } from './machine-state.ts'
import type { Message } from './messages.ts'

export interface Chains extends Ledger {
  readonly chains: Map<ViewId, Chain>
  /** How long this start has been at work, ms of its monotonic clock; late steps count for less (range-time.ts). */
  activeMs: number
}

/** A waiting answer that may leave when a record is acknowledged, and perhaps confirmed after that. */
export interface Waiter {
  readonly version: Version
  readonly to: NodeId
  readonly message: Message
  readonly confirm: boolean
}

/** The counters that the head has seen of one start of an entry node. */
export interface CounterWindow {
  highest: number
  readonly used: Set<number>
}

/** The unacknowledged writes of a path, by their numbers. */
export interface Unacknowledged {
  readonly first: number
  readonly last: number
}

/** What a replica remembers of a view while it runs. */
export interface Chain {
  /** Head: paths with unacknowledged writes, in the order of the first ones. */
  readonly dirty: Map<PathName, Unacknowledged>
  /** The newest version of a path that is known to be acknowledged, where that is above cleanSeq. */
  readonly acknowledged: Map<PathName, Version>
  cleanSeq: number
  readonly waiting: Map<PathName, Waiter[]>
  /** By node and boot. */
  readonly windows: Map<string, CounterWindow>
  /** Passes that wait for a body. */
  readonly blocked: Map<BlobId, { readonly from: NodeId; readonly message: Message }[]>
  resending: boolean
  /** Head, after a restart: prefixes of positions that have not been looked over yet, and what is open in the others. */
  resuming: { readonly prefixes: string[]; readonly open: [PathName, number][] } | undefined
  /** Head: replicas that have every body. */
  readonly filled: Set<NodeId>
  /** Head: what the machine's activeMs was when the time of the range was as the view's state says. */
  timedAtMs: number
}

export function chainOf(m: Chains, state: ViewState): Chain {
  const known = m.chains.get(state.view.id)
  if (known !== undefined) return known
  assert(m.views.has(state.view.id), 'a chain is one of a view that is held', state.view.id)
  const chain: Chain = {
    dirty: new Map(),
    acknowledged: new Map(),
    cleanSeq: firstCleanSeq(state),
    waiting: new Map(),
    windows: new Map(),
    blocked: new Map(),
    resending: false,
    resuming: undefined,
    filled: new Set(),
    timedAtMs: m.activeMs,
  }
  m.chains.set(state.view.id, chain)
  return chain
}

/** After a restart only the marks in the view's state tell what is acknowledged. */
function firstCleanSeq(state: ViewState): number {
  const floorSeq = state.floor.epoch === state.view.epoch ? state.floor.seq : 0
  return Math.max(floorSeq, state.clean ?? 0)
}

/** A view was dropped. */
export function forgetChain(m: Chains, viewId: ViewId): void {
  m.chains.delete(viewId)
}

/** This start has been at work for so much longer. */
export function passActiveTime(m: Chains, ms: number): void {
  m.activeMs += ms
}
