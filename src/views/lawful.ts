/**
 * What is true of every view that a node holds, and of every step from one state of it to the next. What another
 * node says is checked before it comes here (replication/chain/messages.ts), so what fails here is this program.
 */
import { assert } from '../invariant.ts'
import { arcContains } from '../ring/arc.ts'
import { compareBallots, isPartition, type Source, type View, type ViewState } from './view.ts'

/** True when two tell of the same view: nothing of it but who its acceptors are may be unknown to one. */
export function agree(a: Source, b: Source): boolean {
  return (
    a.id === b.id &&
    a.epoch === b.epoch &&
    a.lo === b.lo &&
    a.hi === b.hi &&
    a.replicas.length === b.replicas.length &&
    a.replicas.every((node, index) => node === b.replicas[index])
  )
}

/** Children have the range of their parent, and are newer. */
export function areChildren(parent: View, some: readonly View[]): boolean {
  return isPartition(parent, some) && some.every(({ epoch }) => epoch > parent.epoch)
}

/** What keeps this from being a view that can be decided, or a source of one; undefined when nothing does. */
export function viewFault({ epoch, hi, replicas, acceptors, sources }: View): string | undefined {
  if (!Number.isSafeInteger(epoch) || epoch < 1) return 'epochs count from one'
  if (replicas.length === 0) return 'a view has a replica'
  if (new Set(replicas).size < replicas.length) return 'no node is a replica twice'
  if (new Set(acceptors).size < acceptors.length) return 'no node is an acceptor twice'
  if (acceptors.length % 2 === 0 && acceptors.length > 0) return 'acceptors are odd in number'
  if (acceptors.length === 0 && sources.length > 0) return 'of a mere source no sources are known'
  let newest = epoch - 1
  for (const source of sources) {
    if (source.epoch > newest) return 'sources are told from the newest to the oldest'
    if (source.replicas.length === 0) return 'there is somebody to ask at each source'
    if (!arcContains(source, hi)) return 'a source has the range of the view'
    newest = source.epoch
  }
  return undefined
}

/** @throws InvariantError */
export function assertView(view: View): void {
  const fault = viewFault(view)
  assert(fault === undefined, fault ?? '', view.id)
}

/** Acceptors are learned by a node that had none; who the members are, by one that was not told. */
function learnsAcceptors(before: View, after: View): boolean {
  if (before.acceptors.length === 0) return true
  const isSame = before.acceptors.join() === after.acceptors.join()
  return isSame && (before.members ?? []).length === 0 && after.members !== undefined
}

/** @throws InvariantError unless a node that holds `before` of a view may hold `after` next. */
export function assertAdvance(before: ViewState | undefined, after: ViewState): void {
  assertState(after)
  if (before === undefined) return assertView(after.view)
  const { id } = after.view
  if (after.view !== before.view) {
    assertView(after.view)
    assert(agree(before.view, after.view), 'a view never changes', id)
    assert(learnsAcceptors(before.view, after.view), 'acceptors are learned once', id)
  }
  assert(after.sealed || !before.sealed, 'a seal is never undone', id)
  assert(after.installed || !before.installed, 'what was installed stays so', id)
  assert(after.active || !before.active, 'what was active stays so', id)
  assert(after.complete || !before.complete, 'what was complete stays so', id)
  assertVotesAdvance(before, after)
  if (!before.installed) {
    assert(!(before.sealed && after.installed), 'nothing is installed in a sealed view', id)
    return
  }
  assert(after.seq >= before.seq, 'the numbers of a view grow', id)
  assert(compare(after.floor, before.floor) >= 0, 'a floor never falls', id)
  assert((after.clean ?? 0) >= (before.clean ?? 0), 'what is clean stays so', id)
  if (!before.sealed) return
  assert(after.seq === before.seq, 'a sealed view gives no numbers', id)
  assert(compare(after.floor, before.floor) === 0, 'the floor of a sealed view stays where it is', id)
}

/** What is true of a state whatever it was before. */
function assertState({ view, promised, accepted, sealed, next, installed, active, ...state }: ViewState) {
  const { id, epoch } = view
  assert(installed || !active, 'a view is installed before it is active', id)
  assert(active || !state.complete, 'a view is active before it is complete', id)
  if (accepted !== undefined) {
    assert(sealed, 'accepting seals', id)
    assert(promised && compareBallots(promised, accepted.ballot) >= 0, 'accepting promises', id)
    assert(isPartition(view, accepted.children), 'what is accepted partitions the range', id)
  }
  if (next !== undefined) {
    assert(sealed, 'a view with children is sealed', id)
    assert(isPartition(view, next), 'the children of a view partition its range', id)
    for (const child of next) assert(child.epoch > epoch, 'children are newer than their parent', id)
  }
  assert(Number.isSafeInteger(state.seq) && state.seq >= 0, 'writes are numbered', id)
  assert(state.floor.epoch <= epoch, 'a floor is of this view or an older one', id)
  assert(
    state.floor.epoch < epoch || state.floor.seq <= state.seq,
    'a floor is no higher than the writes',
    id,
  )
  assert((state.clean ?? 0) <= state.seq, 'only what was written is clean', id)
}

function assertVotesAdvance(before: ViewState, after: ViewState): void {
  const { id } = after.view
  if (before.promised !== undefined) {
    const kept = after.promised !== undefined && compareBallots(after.promised, before.promised) >= 0
    assert(kept, 'a promise never goes back', id)
  }
  if (before.accepted !== undefined) {
    const kept = after.accepted && compareBallots(after.accepted.ballot, before.accepted.ballot) >= 0
    assert(kept, 'what was accepted is replaced only under a later ballot', id)
  }
  if (before.next !== undefined) {
    assert(after.next?.[0]?.id === before.next[0]?.id, 'a view has one succession', id)
  }
}

function compare(a: ViewState['floor'], b: ViewState['floor']): number {
  return a.epoch - b.epoch || a.seq - b.seq
}
