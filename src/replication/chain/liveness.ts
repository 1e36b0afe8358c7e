/**
 * What a node believes of others' being alive. Event-driven: a node is asked when an answer from it is missing, and
 * counts as dead after some unanswered questions, one after the other. A wrong belief is safe, only wasteful.
 *
 * Silence counts by its length, not by how many noticed it: of many requests that wait for one node, all run out of
 * patience in the same moment when it stands still. A refused connection is no silence but an answer of its machine, so
 * refusals count at once.
 */

import type { NodeId, ViewState } from '../../views/view.ts'
import {
  type Ledger,
  type Member,
  type MembersChange,
  newTag,
  send,
  setTimer,
  tell,
} from './machine-state.ts'
import type { Tag } from './messages.ts'

/** What is believed of the other nodes. */
export interface Nodes extends Ledger {
  members: Map<NodeId, Member>
  readonly suspects: Set<NodeId>
  readonly silences: Map<NodeId, number>
  /** Nodes that nobody here has heard of, and who has said so when they were asked. */
  readonly unknown: Map<NodeId, ReadonlySet<NodeId>>
  /** Suspects have been asked lately whether they are back. */
  seeking: boolean
  /** How often in a row that was for nothing. */
  seeks: number
  /** How often a belief has changed: of who is there, and of who is a member where. */
  beliefs: number
  /** Whether a node is there: the questions under way. */
  readonly questions: Map<NodeId, Tag>
}

/** Between two searches for suspects: so many waits for an answer, doubling so often; from 5 s to 80 s by default. */
const SEEK_ANSWERS = 5
const SEEK_DOUBLINGS_MAX = 4

/** Asks whether a node is there, unless it is being asked. Every message from it is an answer. */
export function probe(m: Nodes, node: NodeId): void {
  if (node === m.self || m.questions.has(node)) return
  ask(m, node)
}

function ask(m: Nodes, node: NodeId): void {
  send(m, node, { kind: 'ping' })
  // Of one that counts as dead nothing more can be learned by waiting.
  if (m.suspects.has(node)) return
  const tag = newTag(m)
  m.questions.set(node, tag)
  const isFirst = !m.silences.has(node)
  setTimer(m, m.settings.answerTimeoutMs, { kind: 'question', node, tag, isFirst })
}

/** A question was not answered in time. */
export function onQuestionTimeout(m: Nodes, node: NodeId, tag: Tag): void {
  if (m.questions.get(node) !== tag) return
  m.questions.delete(node)
  doubt(m, node, m.settings.silencesMax)
}

/** The machine of a node refuses connections. One refusal may be that of a connection which was about to end. */
export function onRefusal(m: Nodes, node: NodeId): void {
  // Its refusing the question is the next such event; of one that counts as dead nothing is asked.
  if (node !== m.self && !m.suspects.has(node)) doubt(m, node, m.settings.silencesMax + 1)
}

/** One more sign in a row that a node is gone: it is asked again, or counts as dead. */
function doubt(m: Nodes, node: NodeId, signsMax: number): void {
  const signs = (m.silences.get(node) ?? 0) + 1
  m.silences.set(node, signs)
  if (signs < signsMax) return ask(m, node)
  m.questions.delete(node)
  m.suspects.add(node)
  m.beliefs++
  m.effects.push({ kind: 'believed', node, isThere: false })
  tell(m, { kind: 'dead', node })
}

/**
 * Others have looked for a node, too: when all of them have failed, one unanswered question is enough, and it is asked now. Who counts as
 * dead and is alive for others is asked, and counts as there once it has answered.
 */
export function believe(m: Nodes, node: NodeId, belief: 'alive' | 'failed'): void {
  if (node === m.self) return
  if (belief === 'failed' && !m.suspects.has(node)) {
    m.silences.set(node, Math.max(m.silences.get(node) ?? 0, m.settings.silencesMax - 1))
    probe(m, node)
  } else if (belief === 'alive' && m.suspects.has(node)) ask(m, node)
}

export function heardFrom(m: Nodes, node: NodeId): void {
  m.unknown.delete(node)
  m.questions.delete(node)
  m.silences.delete(node)
  if (!m.suspects.delete(node)) return
  m.seeks = 0
  m.beliefs++
  m.effects.push({ kind: 'believed', node, isThere: true })
  tell(m, { kind: 'back', node })
}

/**
 * Asks those that count as dead whether they are back: a node that was only paused has nothing to say by itself, and
 * would stay out until it had. Requests are the occasion, so an idle network stays silent; the longer nobody answers,
 * the rarer.
 */
export function seekSuspects(m: Nodes): void {
  if (m.suspects.size === 0 || m.seeking) return
  m.seeking = true
  const needed = [...m.suspects].filter(node => mayBeNeeded(m, node))
  for (const node of fewOfTheGone(m, needed, m.seeks)) send(m, node, { kind: 'ping' })
  setTimer(m, SEEK_ANSWERS * m.settings.answerTimeoutMs * 2 ** Math.min(m.seeks, SEEK_DOUBLINGS_MAX), {
    kind: 'seek',
  })
  m.seeks++
}

/** Of nodes that count as gone so many are asked at a time whether they are back: one of them is enough to bring all together. */
const GONE_ASKED_MAX = 16

/** Some nodes without most of those that are gone; each time others. What ever was in a network grows for ever. */
export function fewOfTheGone(m: Nodes, nodes: readonly NodeId[], turn: number): NodeId[] {
  const isGone = (node: NodeId) => m.members.get(node)?.status === 'gone'
  const gone = nodes.filter(isGone)
  const first = gone.length > GONE_ASKED_MAX ? (turn * GONE_ASKED_MAX) % gone.length : 0
  const few = [...gone.slice(first), ...gone.slice(0, first)].slice(0, GONE_ASKED_MAX)
  return [...nodes.filter(node => !isGone(node)), ...few]
}

/**
 * Whether somebody who counts as dead may be needed once more. Who has left is, as long as a view names it here: each of those that
 * ever left would be asked for ever.
 */
export function mayBeNeeded(m: Nodes, node: NodeId): boolean {
  if (m.members.get(node)?.status !== 'leaving') return true
  const names = ({ view, next }: ViewState) =>
    next === undefined && (view.replicas.includes(node) || view.acceptors.includes(node))
  return [...m.views.values()].some(names)
}

export function onSeek(m: Nodes): void {
  m.seeking = false
}

/** Forgets that a node counts as dead, and asks it. */
export function askAgain(m: Nodes, node: NodeId): void {
  if (m.suspects.delete(node)) m.beliefs++
  m.silences.delete(node)
  probe(m, node)
}

export function isAlive(m: Nodes, node: NodeId): boolean {
  return !m.suspects.has(node) && m.members.get(node)?.status !== 'gone'
}

/** What routing has learned of the network: all of it. */
export function knowMembers(m: Nodes, members: readonly Member[]): void {
  const isSame = members.length === m.members.size && members.every(member => isKnownAs(m, member))
  if (!isSame) m.beliefs++
  m.members = new Map(members.map(member => [member.node, member]))
  for (const node of m.unknown.keys()) if (m.members.has(node)) m.unknown.delete(node)
}

/** The same, of some nodes alone. Costs what these do. */
export function learnMembers(m: Nodes, { members, forgotten }: MembersChange): void {
  const isSame = forgotten.length === 0 && members.every(member => isKnownAs(m, member))
  if (!isSame) m.beliefs++
  for (const member of members) {
    m.members.set(member.node, member)
    m.unknown.delete(member.node)
  }
  for (const node of forgotten) m.members.delete(node)
}

function isKnownAs(m: Nodes, { node, status, zone, identifiers }: Member): boolean {
  const known = m.members.get(node)
  if (known === undefined || known.status !== status || known.zone !== zone) return false
  return known.identifiers === identifiers || known.identifiers.join() === identifiers.join()
}

/** These nodes have said that they do not know that one. */
export function noteUnknown(m: Nodes, node: NodeId, by: readonly NodeId[]): void {
  m.unknown.set(node, new Set(by))
}
