/**
 * What a client may learn of the ring beside an answer, so that its next request goes straight to a replica: the
 * range that the path lies in, with its replicas (docs/decisions/0075-clients-learn-ranges.md). It is said only to those
 * who ask for it, and only when they do not know it yet.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply } from 'fastify'
import { StoreError } from '../errors.ts'
import { identifierOfPath } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { RingNode } from '../ring-node/ring-node.ts'

/**
 * Ring-Range (`LO HI EPOCH ADDRESS...`, head first) and Ring-Network, names and values in turn. Empty unless the request
 * has Ring-Epoch, the epoch in which the client knows the range of this path (0: not at all), and this node knows a later one.
 */
export function rangeFields(
  { driver, members, network }: RingNode,
  headers: IncomingHttpHeaders,
  path: PathName,
): string[] {
  const known = headers['ring-epoch']
  if (typeof known !== 'string') return []
  const view = driver.known.covering(identifierOfPath(path))
  if (view === undefined || !(view.epoch > epochOf(known))) return []
  const addresses = view.replicas
    .map(node => members.addressOf(node))
    .filter(address => address !== undefined)
  if (addresses.length === 0) return []
  const range = [view.lo, view.hi, view.epoch, ...addresses].join(' ')
  return ['ring-range', range, 'ring-network', network.networkId]
}

/** The same on a reply of the framework. */
export function rangeHeaders(ring: RingNode, reply: FastifyReply, path: PathName): void {
  const fields = rangeFields(ring, reply.request.raw.headers, path)
  for (let i = 0; i < fields.length; i += 2) reply.header(fields[i] as string, fields[i + 1])
}

/**
 * A client that was told an address may find a node of another network there, later.
 * @throws StoreError WRONG_NETWORK when the request names another network than this one.
 */
export function refuseOtherNetwork(headers: IncomingHttpHeaders, networkId: string): void {
  const meant = headers['ring-network']
  if (meant === undefined || meant === networkId) return
  throw new StoreError('WRONG_NETWORK', 'This node belongs to another network than the request is meant for.')
}

/** A malformed epoch counts as none: it only decides whether the range is said again. */
function epochOf(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}
