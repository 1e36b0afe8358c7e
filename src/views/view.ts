/**
 * The nouns of responsibility: who answers for a range of the ring, and who may decide that others shall.
 *
 * The ring is cut into ranges. Each range has one numbered, durable view; its successors are chosen by one
 * single-decree Paxos among its acceptors (reconfigure.ts), as in Vertical Paxos (Lamport, Malkhi & Zhou, PODC 2009)
 * and CATS (Arad, Shafaat & Haridi, 2013). A View that exists outside of a Paxos value has been decided.
 */
import { assert } from '../invariant.ts'
import type { Arc } from '../ring/arc.ts'
import type { Address } from '../ring/identifier.ts'
import type { Version } from '../storage/record.ts'

/** A node is its disk: the uuid that was written when the disk was first used. A lost disk is a new node. */
export type NodeId = string & { readonly brand: 'NodeId' }

/** Unique for each proposal, so that two proposals never share an id even when they name the same children. */
export type ViewId = string & { readonly brand: 'ViewId' }

/** One start of a node: how often its disk was started, and a nonce by which two copies of a disk differ (boot.ts). */
export interface Boot {
  readonly counter: number
  readonly nonce: string
}

/** Where a node is reached, as of some time. */
export interface Contact {
  readonly address: Address
  /** Where it was first admitted, which its places on the ring come from. */
  readonly ringAddress: Address
  /** Of two contacts of a node that with the greater one is the newer one. */
  readonly incarnation: number
}

/** What a view says of one of its members. */
export interface ViewMember {
  readonly node: NodeId
  /** Absent where the proposer did not know it. */
  readonly contact?: Contact | undefined
  readonly zone?: string | undefined
  /** The latest start of it that the proposer knew: of an earlier one nothing is taken. */
  readonly boot?: Boot | undefined
}

/** Where a view stands among all views (compareViews). */
export interface Rank {
  readonly id: ViewId
  /** Grows by one from parent to child. */
  readonly epoch: number
}

/** A view as one from which state may be fetched. */
export interface Source extends Arc, Rank {
  /** Head first, tail last; at least one. */
  readonly replicas: readonly NodeId[]
}

/** A range and who answers for it. */
export interface View extends Source {
  /** Odd in number. Acceptors that are not replicas are witnesses: they hold views, not records. */
  readonly acceptors: readonly NodeId[]
  /**
   * Where the state comes from: the parent, then its parent, and so on up to one that is known to have been active and
   * to have all its bodies. Empty for a founding view.
   */
  readonly sources: readonly Source[]
  /** Its replicas and acceptors; views of before version 0.2 have none. */
  readonly members?: readonly ViewMember[] | undefined
  /** The view by which an operator recovered this range by force; absent where nobody ever did. */
  readonly root?: ViewId | undefined
  /** Only in such a view itself: the number that its writes begin at (recovery.ts). */
  readonly firstSeq?: number | undefined
}

/** What a proposer wants; it becomes a View by an id, an epoch and sources (childrenOf). */
export interface Plan extends Arc {
  readonly replicas: readonly NodeId[]
  readonly acceptors: readonly NodeId[]
  readonly members?: readonly ViewMember[] | undefined
}

/** Orders attempts. The boot keeps a restarted proposer, who has forgotten, from using a ballot twice. */
export interface Ballot {
  readonly round: number
  readonly node: NodeId
  readonly boot: string
}

/** What an acceptor has accepted. */
export interface Accepted {
  readonly ballot: Ballot
  readonly children: readonly View[]
}

/** What a node keeps of a view, on stable storage before any message that depends on it. Never changed in place. */
export interface ViewState {
  readonly view: View
  readonly promised: Ballot | undefined
  readonly accepted: Accepted | undefined
  /** No more writes, confirms or reads here. Never undone. */
  readonly sealed: boolean
  /** The decided children. */
  readonly next: readonly View[] | undefined
  /** This replica has adopted exactly the state that the view starts from. */
  readonly installed: boolean
  /** Every replica is installed: the view serves. */
  readonly active: boolean
  /** Every replica has every body: what parents keep for it may go. */
  readonly complete: boolean
  /** Everything up to here is acknowledged; a tombstone at or below it stays only while it has a trash, or remembers outcomes that count. */
  readonly floor: Version
  /** The highest number given to a write here. */
  readonly seq: number
  /** Writes of this view up to here are known to be acknowledged: after a restart only later ones are in doubt. */
  readonly clean?: number
  /** For how long the range had been served at the latest write, ms; 0 where nothing says so. */
  readonly timeMs?: number
}

/** What a node knows of a view that it has just heard of. */
export function freshState(view: View): ViewState {
  return {
    view,
    promised: undefined,
    accepted: undefined,
    sealed: false,
    next: undefined,
    installed: false,
    active: false,
    complete: false,
    floor: { epoch: 0, seq: 0 },
    seq: 0,
  }
}

/** What comes before the start is left out (boot.ts): the name is part of every tag and request id. */
export function bootName({ counter, nonce }: Boot): string {
  return `${counter}.${nonce.slice(0, NAMED_DIGITS)}`
}

/** Whether a name is that of this start; programs of before version 0.2 name it by its whole nonce. */
export function isNameOf(name: string, boot: Boot): boolean {
  return name === bootName(boot) || name === `${boot.counter}.${boot.nonce}`
}

const NAMED_DIGITS = 16

/**
 * The one order of all views: negative when `a` is older. Of two views that share a position the newer one counts, and the
 * older one is sealed wherever both are known. By epoch; two of one epoch share a position only when a range was
 * recovered by force on both sides of a cut, and then the id decides, the same way everywhere.
 */
export function compareViews(a: Rank, b: Rank): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch
  return a.id === b.id ? 0 : a.id < b.id ? -1 : 1
}

/** The rank of a view of which a node of an older program has said the epoch alone. */
export function rankOf({ epoch, id }: { readonly epoch: number; readonly id?: ViewId | undefined }): Rank {
  return { epoch, id: id ?? ('' as ViewId) }
}

/** Negative when `a` is older. Rounds first; node and boot only make different attempts different. */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.round !== b.round) return a.round - b.round
  if (a.node !== b.node) return a.node < b.node ? -1 : 1
  return a.boot === b.boot ? 0 : a.boot < b.boot ? -1 : 1
}

/** How many of the acceptors decide. */
export function majority(acceptors: readonly NodeId[]): number {
  return Math.floor(acceptors.length / 2) + 1
}

/**
 * How many acceptors a view has in a network of `nodes` nodes with `replicas` copies: 2k - 1, so that k - 1 of them may
 * be lost at once, or the largest odd number of nodes there are.
 */
export function acceptorCount(nodes: number, replicas: number): number {
  const most = Math.max(1, Math.min(nodes, 2 * replicas - 1))
  return most % 2 === 1 ? most : most - 1
}

/**
 * The acceptors beside these replicas: the replicas themselves, then the next live successors as witnesses. An even number of live nodes
 * bears no more losses than the odd one below it, and a doubtful one that comes back makes it bear one more: it stays. Rather than fall to
 * a single acceptor, whose loss would end the range, doubtful ones stay as long as there are three nodes in all (docs/decisions/0312).
 * @param successors live nodes in ring order from the range's end on, the replicas among them or not.
 * A single acceptor is the same for all ranges: the one that was there before, which is the founder, else the least of
 * the nodes. Were it each range's head, the crash of either of two nodes would end half of the ring.
 * @param doubtful nodes that may be dead, those that most likely live first.
 * @param before the acceptors that the range has had.
 */
export function chooseAcceptors(
  replicas: readonly NodeId[],
  successors: readonly NodeId[],
  doubtful: readonly NodeId[],
  copies: number,
  before: readonly NodeId[] = [],
): NodeId[] {
  const live = [...new Set([...replicas, ...successors])]
  const all = [...new Set([...live, ...doubtful])]
  const withOne = Math.min(live.length + 1, all.length)
  const count = Math.max(acceptorCount(withOne, copies), Math.min(3, acceptorCount(all.length, copies)))
  if (count > 1) return all.slice(0, count)
  const [only, ...others] = before
  if (only !== undefined && others.length === 0 && live.includes(only)) return [only]
  return [...live].sort().slice(0, 1)
}

/** The view as a source for its children. */
export function asSource(view: View): Source {
  return { id: view.id, epoch: view.epoch, lo: view.lo, hi: view.hi, replicas: view.replicas }
}

/**
 * The children that a proposer proposes. `complete` says that the parent is known to have been active and to have all
 * bodies, and that nobody else has a copy of the range to offer: then nobody will ever ask further up.
 */
export function childrenOf(
  parent: View,
  plans: readonly Plan[],
  nonce: string,
  complete: boolean,
  active = complete,
): View[] {
  const before = complete ? [] : active ? sparesOf(parent) : parent.sources
  const sources = [asSource(parent), ...before]
  const children = plans.map((plan, index) => ({
    ...plan,
    id: `${parent.epoch + 1}-${nonce}-${index}` as ViewId,
    epoch: parent.epoch + 1,
    sources,
    ...(parent.root !== undefined && { root: parent.root }),
  }))
  assertChildren(parent, children)
  return children
}

/**
 * Of a view that was active, the sources that somebody may still need, which is for the bodies and copies of nodes that
 * no newer one names: so their number has a limit, though a range may change its view many times before it is complete.
 * How many replicas it has had at the most is remembered, too.
 */
function sparesOf(parent: View): Source[] {
  const named = new Set(parent.replicas)
  let most = parent.replicas.length
  return parent.sources.filter(({ replicas }) => {
    if (replicas.length <= most && replicas.every(node => named.has(node))) return false
    for (const node of replicas) named.add(node)
    most = Math.max(most, replicas.length)
    return true
  })
}

/** @throws InvariantError when the children do not partition their parent: the same range, or two cut inside it. */
export function assertChildren(parent: Arc, children: readonly View[]): void {
  assert(isPartition(parent, children), 'the children of a view partition its range')
  for (const { id, replicas, acceptors } of children) {
    assert(replicas.length > 0, 'a view has a replica', id)
    assert(acceptors.length % 2 === 1, 'acceptors are odd in number', id)
  }
}

/** True when one view, or two side by side, have exactly the range of their parent. */
export function isPartition(parent: Arc, children: readonly Arc[]): boolean {
  const [first, second, ...more] = children
  if (first === undefined || more.length > 0) return false
  if (second === undefined) return first.lo === parent.lo && first.hi === parent.hi
  return first.lo === parent.lo && first.hi === second.lo && second.hi === parent.hi
}

/** The replica after this one, or undefined at the tail. */
export function successorIn(view: Source, node: NodeId): NodeId | undefined {
  return view.replicas[view.replicas.indexOf(node) + 1]
}

/** The replica before this one, or undefined at the head. */
export function predecessorIn(view: Source, node: NodeId): NodeId | undefined {
  return view.replicas[view.replicas.indexOf(node) - 1]
}

export function headOf(view: Source): NodeId {
  return view.replicas[0] as NodeId
}

export function tailOf(view: Source): NodeId {
  return view.replicas.at(-1) as NodeId
}

export function isMember(view: View, node: NodeId): boolean {
  return view.replicas.includes(node) || view.acceptors.includes(node)
}
