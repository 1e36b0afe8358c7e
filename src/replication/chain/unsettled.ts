/**
 * What stands behind the retries that have an end. A cut may last longer than all of them, and nobody may ask for anything
 * when it is over. So as long as something is unsettled here, a node looks at it again from time to time, the longer it lasts
 * the more rarely. A network in which all is settled stays silent (docs/decisions/0242).
 */
import type { NodeId, ViewState } from '../../views/view.ts'
import { fillBodies, ONE_LOOK } from './bodies.ts'
import { newerViews } from './deciding.ts'
import { finishSealed } from './finishing.ts'
import { type Installing, LAST_WATCHES, watch } from './installing.ts'
import { mayBeNeeded } from './liveness.ts'
import { send, setTimer, type TimerEvent } from './machine-state.ts'
import { planRepair, stepFor } from './repair.ts'

export interface Unsettled extends Installing {
  /** Of all looks that are to come only the latest counts, and none when everything seems to be settled. */
  readonly look: { latest: number; isDue: boolean }
}

/** Between two looks: so many waits for an answer, doubling so often; from 5 s to 11 minutes by default. */
const LOOK_ANSWERS = 5
const LOOK_DOUBLINGS_MAX = 7

/** Somebody has given up for now. */
export function lookLater(m: Unsettled): void {
  if (!m.look.isDue) armLook(m, 0)
}

/** Something new went wrong: what has been unsettled for long is looked at soon, too. */
export function lookSoon(m: Unsettled): void {
  armLook(m, 0)
}

function armLook(m: Unsettled, tries: number): void {
  m.look.latest++
  m.look.isDue = true
  const afterMs = LOOK_ANSWERS * m.settings.answerTimeoutMs * 2 ** Math.min(tries, LOOK_DOUBLINGS_MAX)
  setTimer(m, afterMs, { kind: 'look', look: m.look.latest, tries: tries + 1 })
}

export function onLook(m: Unsettled, { look, tries }: TimerEvent & { kind: 'look' }): void {
  if (look !== m.look.latest) return
  m.look.isDue = false
  const isMember = (node: NodeId) => (m.members.get(node)?.status ?? 'gone') !== 'gone'
  const missed = [...m.suspects].filter(node => isMember(node) && mayBeNeeded(m, node))
  const open = [...m.views.values()].filter(state => isOpen(m, state))
  if (missed.length === 0 && open.length === 0) return
  for (const node of missed) send(m, node, { kind: 'ping' })
  for (const state of open) takeUp(m, state)
  armLook(m, tries)
}

/** Whether a view waits for somebody to do something about it. */
function isOpen(m: Unsettled, state: ViewState): boolean {
  const { view, sealed, next, accepted, active, complete } = state
  if (next !== undefined || newerViews(m, view).length > 0) return false
  if (sealed) return accepted !== undefined
  if (!view.replicas.includes(m.self)) return false
  return !active || !complete || stepFor(m, view.id) !== undefined
}

function takeUp(m: Unsettled, state: ViewState): void {
  const { id } = state.view
  if (state.sealed) return finishSealed(m, state)
  if (!state.active) watch(m, id, LAST_WATCHES)
  else fillBodies(m, id, ONE_LOOK)
  planRepair(m, id)
}
