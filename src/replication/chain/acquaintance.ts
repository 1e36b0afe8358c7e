/**
 * What the members of a view know of each other. A view says of each member where it is reached and which start of
 * its disk was known when the view was proposed: so whoever holds the view can ask every member, and refuses a disk that
 * was restored from an earlier start, though it has never met it.
 *
 * Views of before version 0.2 say nothing of their members. A node that is named there and that nobody here has heard of may
 * be dead for long: it counts as missing as soon as a majority of the acceptors has said that it doesn't know it. More than
 * half of the next acceptors are then those that have just answered, whoever takes its place.
 */

import { goesOnFrom } from '../../views/boot.ts'
import { type Boot, isMember, majority, type NodeId, type View, type ViewMember } from '../../views/view.ts'
import { isAlive, type Nodes, noteUnknown, probe } from './liveness.ts'
import { rememberPeer, send, tell } from './machine-state.ts'

/** What a proposer knows of the members of a view that is to follow `parent`. */
export function membersOf(m: Nodes, parent: View, nodes: readonly NodeId[]): ViewMember[] {
  const before = new Map(parent.members?.map(member => [member.node, member]))
  return [...new Set(nodes)].map(node => {
    const known = m.members.get(node)
    const boot = node === m.self ? m.boot : m.peers.get(node)
    return {
      node,
      contact: known?.contact ?? before.get(node)?.contact,
      zone: known === undefined ? before.get(node)?.zone : known.zone,
      boot: laterOf(boot, before.get(node)?.boot),
    }
  })
}

/** A view as it is shown to those who most likely hold it, in each round of votes: with an empty list. */
export function withoutMembers(view: View): View {
  return saysMembers(view) ? { ...view, members: [] } : view
}

/** Whoever does not hold such a view does not take it in: it would not know which starts of the members are over. */
export function isShortened({ members }: View): boolean {
  return members?.length === 0
}

export function saysMembers({ members }: View): boolean {
  return members !== undefined && members.length > 0
}

/** Takes in what a view says of its members. */
export function meetMembers(m: Nodes, view: View): void {
  const strangers: ViewMember[] = []
  for (const member of view.members ?? []) {
    if (member.boot !== undefined) learnBoot(m, member.node, member.boot)
    const isStranger = member.node !== m.self && !m.members.has(member.node)
    if (isStranger && member.contact !== undefined) strangers.push(member)
  }
  if (strangers.length > 0) m.effects.push({ kind: 'meet', members: strangers })
}

/**
 * Somebody remembers this start of a node. Of two that can't be of one disk the first that was heard of stays. That of this
 * node itself may show that its own disk was restored.
 */
export function learnBoot(m: Nodes, node: NodeId, boot: Boot): void {
  if (node === m.self) return onRemembered(m, boot)
  const known = m.peers.get(node)
  if (known !== undefined && (known.counter >= boot.counter || goesOnFrom(boot, known) === false)) return
  rememberPeer(m, node, boot)
}

/** Whether a node shows a start of its that can be, beside the one that this node remembers. */
export function isGenuine(m: Readonly<Pick<Nodes, 'peers'>>, from: NodeId, boot: Boot): boolean {
  const known = m.peers.get(from)
  const isLater = known === undefined || known.counter < boot.counter
  return isLater ? known === undefined || goesOnFrom(boot, known) !== false : isSame(known, boot)
}

/** The same of a message: whoever can't be is told, and of who can be the later start is remembered. */
export function admit(m: Nodes, from: NodeId, boot: Boot): boolean {
  const known = m.peers.get(from)
  const mayBe = isGenuine(m, from, boot)
  if (!mayBe) send(m, from, { kind: 'impostor', remembered: known as Boot })
  else if (known === undefined || known.counter < boot.counter) rememberPeer(m, from, boot)
  return mayBe
}

function isSame(a: Boot, b: Boot): boolean {
  return a.counter === b.counter && a.nonce === b.nonce
}

/** Others may only not have heard of this start yet; they may not have heard of a later one, nor of another disk's. */
export function onRemembered(m: Nodes, remembered: Boot): void {
  const isEarlier = remembered.counter < m.boot.counter && goesOnFrom(m.boot, remembered) !== false
  if (isSame(remembered, m.boot) || isEarlier || m.halted) return
  m.halted = true
  m.effects.push({ kind: 'halt' })
}

/** These nodes have said that they do not know that one. */
export function onUnknown(m: Nodes, node: NodeId, by: readonly NodeId[]): void {
  if (m.members.has(node)) return
  noteUnknown(m, node, by)
  tell(m, { kind: 'unknown', node })
}

/** True for an acceptor that a majority of the view's acceptors, this node among them, has never heard of. */
export function isMissing(m: Nodes, view: View, node: NodeId): boolean {
  const by = m.unknown.get(node)
  if (by === undefined || m.members.has(node)) return false
  const without = view.acceptors.filter(other => other !== node && (other === m.self || by.has(other)))
  return without.length >= majority(view.acceptors)
}

/** Whoever shares a view with a node. */
export function sharersOf(m: Readonly<Nodes>, node: NodeId): Set<NodeId> {
  const views = [...m.table.all(), ...[...m.views.values()].map(({ view }) => view)]
  const shared = views.filter(view => isMember(view, node))
  return new Set(shared.flatMap(({ replicas, acceptors }) => [...replicas, ...acceptors]))
}

/** Asks around who the acceptors are that this node has never heard of. */
export function askAboutStrangers(m: Nodes, view: View): void {
  for (const node of view.acceptors) if (!m.members.has(node) && isAlive(m, node)) probe(m, node)
}

function laterOf(a: Boot | undefined, b: Boot | undefined): Boot | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a.counter >= b.counter ? a : b
}
