/**
 * What views, ballots and nodes have to look like when another node tells of them.
 */
import * as is from '../../peer/shape.ts'
import { viewFault } from '../../views/lawful.ts'
import {
  type Accepted,
  type Ballot,
  type Boot,
  type Contact,
  isPartition,
  type NodeId,
  type Source,
  type View,
  type ViewId,
  type ViewMember,
} from '../../views/view.ts'
import { EPOCH_MAX, identifier, NAME_LENGTH_MAX, NODE_ID_LENGTH_MAX } from './record-shapes.ts'

/** A host name has up to 253 characters (RFC 1035, section 2.3.4), a port 6 with its colon. */
const ADDRESS_LENGTH_MAX = 259
const INCARNATION_MAX = 2 ** 30 - 1

/** Replicas and acceptors of one view: at most 15 and 29. */
const MEMBERS_MAX = 64

export const nodeId = is.text<NodeId>(NODE_ID_LENGTH_MAX, 1)
export const viewId = is.text<ViewId>(NAME_LENGTH_MAX, 1)
const nodes = is.list(nodeId)

export const ballot = is.object<Ballot>({
  round: is.integer(),
  node: nodeId,
  boot: is.text(NODE_ID_LENGTH_MAX),
})
export const boot = is.object<Boot>({ counter: is.integer(), nonce: is.text(NODE_ID_LENGTH_MAX) })

const distinct: is.Shape = value => {
  const some = value as readonly unknown[]
  return some.length > 0 && new Set(some).size === some.length
}
const odd: is.Shape = value => (value as unknown[]).length % 2 === 1

const sourceFields = {
  id: viewId,
  epoch: is.integer(1, EPOCH_MAX),
  lo: identifier,
  hi: identifier,
  replicas: is.both(nodes, distinct),
}
export const source = is.object<Source>(sourceFields)
const address = is.text<Contact['address']>(ADDRESS_LENGTH_MAX, 1)
const contact = is.object<Contact>({
  address,
  ringAddress: address,
  incarnation: is.integer(0, INCARNATION_MAX),
})
const viewMember = is.object<ViewMember>({
  node: nodeId,
  contact: is.absentOr(contact),
  zone: is.absentOr(is.text(NODE_ID_LENGTH_MAX)),
  boot: is.absentOr(boot),
})
const moreFields = {
  members: is.absentOr(is.list(viewMember, MEMBERS_MAX)),
  sources: is.list(source),
  root: is.absentOr(viewId),
  firstSeq: is.absentOr(is.integer()),
}
const lawful: is.Shape = value => viewFault(value as View) === undefined

/** A view that can be asked to vote. */
export const view = is.both(
  is.object<View>({ ...sourceFields, ...moreFields, acceptors: is.both(nodes, odd) }),
  lawful,
)
export const views = is.list(view)

/** Also a superseded view of which only the replicas are known: its acceptors are asked no more. */
export const heldView = is.either(
  view,
  is.both(is.object<View>({ ...sourceFields, ...moreFields, acceptors: is.list(nodeId, 0) }), lawful),
)

/** Children are one or two views, side by side. Whether they partition their parent is asked where that is known. */
export const children = is.both(views, value => {
  const some = value as readonly View[]
  const [first, last] = [some[0], some.at(-1)]
  return first !== undefined && last !== undefined && isPartition({ lo: first.lo, hi: last.hi }, some)
})

export const accepted = is.object<Accepted>({ ballot, children })
