/**
 * Owns what a node believes of others' being alive. Event-driven: a node is asked when an answer from it is missing,
 * and counts as dead after some unanswered questions in a row. A wrong belief is safe, only wasteful.
 */
import type { NodeId } from '../../views/view.ts'
import { type Machine, send, setTimer } from './machine-state.ts'
import { planRepair } from './repair.ts'

/** Between two searches for suspects: so many waits for an answer, doubling so often; from 5 s to 80 s by default. */
const SEEK_ANSWERS = 5
const SEEK_DOUBLINGS_MAX = 4

/** Asks whether a node is there. Every message from it is an answer. */
export function probe(m: Machine, node: NodeId): void {
  if (node === m.self) return
  const silences = (m.silences.get(node) ?? 0) + 1
  m.silences.set(node, silences)
  send(m, node, { kind: 'ping' })
  if (silences <= m.settings.silencesMax || m.suspects.has(node)) return
  m.suspects.add(node)
  repairShared(m, node)
}

export function heardFrom(m: Machine, node: NodeId): void {
  m.silences.delete(node)
  if (!m.suspects.delete(node)) return
  m.seeks = 0
  for (const viewId of m.views.keys()) planRepair(m, viewId)
}

/**
 * Asks those that count as dead whether they are back: a node that was only paused has nothing to say by itself, and
 * would stay out until it had. Requests are the occasion, so an idle network stays silent; the longer nobody answers,
 * the rarer.
 */
export function seekSuspects(m: Machine): void {
  if (m.suspects.size === 0 || m.seeking) return
  m.seeking = true
  for (const node of m.suspects) send(m, node, { kind: 'ping' })
  setTimer(m, SEEK_ANSWERS * m.settings.answerTimeoutMs * 2 ** Math.min(m.seeks, SEEK_DOUBLINGS_MAX), {
    kind: 'seek',
  })
  m.seeks++
}

export function onSeek(m: Machine): void {
  m.seeking = false
}

export function isAlive(m: Machine, node: NodeId): boolean {
  return !m.suspects.has(node) && m.members.get(node)?.status !== 'gone'
}

/** Whoever learns that a node is dead repairs every range that it shares with it. */
function repairShared(m: Machine, node: NodeId): void {
  for (const { view } of m.views.values()) {
    if (view.replicas.includes(node) || view.acceptors.includes(node)) planRepair(m, view.id)
  }
}
