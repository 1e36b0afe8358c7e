/**
 * Clean and dirty: a record is clean at a replica when the tail is known to have it (CRAQ, section 2.3), so when
 * every replica has.
 */

import { assert } from '../../invariant.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'
import { tailOf, type ViewId, type ViewState } from '../../views/view.ts'
import type { Chain } from './chain-of-view.ts'
import { type Chains, chainOf, type Waiter } from './chain-of-view.ts'
import { type ChainRecord, compareVersions } from './chain-record.ts'
import { type Confirming, confirmThen } from './confirm.ts'
import { send } from './machine-state.ts'
import type { Message, Tag } from './messages.ts'
import { refuse } from './serving.ts'

export interface Acknowledging extends Confirming, Chains {}

/** What a view started from is clean; so is everything at the tail. */
export function isClean(m: Acknowledging, state: ViewState, record: ChainRecord): boolean {
  const { view } = state
  if (record.version.epoch < view.epoch || tailOf(view) === m.self) return true
  const chain = chainOf(m, state)
  if (record.version.seq <= chain.cleanSeq) return true
  const acknowledged = chain.acknowledged.get(record.path)
  return acknowledged !== undefined && compareVersions(record.version, acknowledged) <= 0
}

/** Sends an answer once the record that it reveals is acknowledged; with `confirm`, once the view is confirmed after that. */
export function answerWhenClean(
  m: Acknowledging,
  state: ViewState,
  record: ChainRecord,
  answer: Omit<Waiter, 'version'>,
) {
  const waiter = { ...answer, version: record.version }
  if (isClean(m, state, record)) return letOut(m, state, waiter)
  wait(m, state, record.path, waiter)
}

/** Makes an answer wait for the acknowledgement of a version. */
export function wait(m: Acknowledging, state: ViewState, path: PathName, waiter: Waiter): void {
  assert(!state.sealed, 'nobody waits in a sealed view', state.view.id)
  assert(state.view.replicas.includes(m.self), 'answers wait at replicas', state.view.id)
  const { waiting } = chainOf(m, state)
  const waiters = waiting.get(path)
  if (waiters === undefined) waiting.set(path, [waiter])
  else waiters.push(waiter)
}

/**
 * Of a sealed view no acknowledgement need ever come, and to find that out by waiting takes seconds: whoever waits for one
 * is sent on to the next view, whose head knows from the record's history what has been written.
 */
export function refuseWaiting(m: Acknowledging, viewId: ViewId): void {
  const waiting = m.chains.get(viewId)?.waiting
  if (waiting === undefined) return
  for (const waiter of [...waiting.values()].flat()) {
    const { tag } = waiter.message as Message & { readonly tag: Tag }
    refuse(m, waiter.to, tag, 'sealed', viewId)
  }
  waiting.clear()
}

export function letOut(m: Acknowledging, state: ViewState, waiter: Waiter): void {
  const { to, confirm } = waiter
  const message = waiter.message as Message & { readonly tag: Tag }
  if (confirm) confirmThen(m, state, { to, message })
  else send(m, to, message)
}

/** Notes that the tail has this version, and lets out what waited for it. */
export function markAcknowledged(m: Acknowledging, state: ViewState, path: PathName, version: Version): void {
  const chain = chainOf(m, state)
  const before = chain.acknowledged.get(path)
  if (before === undefined || compareVersions(before, version) < 0) chain.acknowledged.set(path, version)
  const open = chain.dirty.get(path)
  const last = open && { epoch: state.view.epoch, seq: open.last }
  if (last !== undefined && compareVersions(last, version) <= 0) chain.dirty.delete(path)
  const waiting = chain.waiting.get(path)
  if (waiting === undefined) return
  const late = waiting.filter(waiter => compareVersions(waiter.version, version) > 0)
  if (late.length > 0) chain.waiting.set(path, late)
  else chain.waiting.delete(path)
  for (const waiter of waiting) if (!late.includes(waiter)) letOut(m, state, waiter)
}

/**
 * At the head: every write up to this number is acknowledged or replaced by a later one that is. A path that is written
 * again while it is dirty keeps the number of its first unacknowledged write, so the oldest entry is the lowest.
 */
export function acknowledgedUpTo(state: ViewState, chain: Chain): number {
  if (chain.resuming !== undefined) return chain.cleanSeq
  for (const { first, last } of chain.dirty.values()) {
    assert(first <= last && last <= state.seq, 'what is dirty was numbered', state.view.id)
    return first - 1
  }
  return state.seq
}

/** Forgets single acknowledgements that the common one covers. */
export function advanceClean(chain: Chain, cleanSeq: number): void {
  if (cleanSeq <= chain.cleanSeq) return
  chain.cleanSeq = cleanSeq
  for (const [path, version] of chain.acknowledged) {
    if (version.seq <= cleanSeq) chain.acknowledged.delete(path)
  }
}
