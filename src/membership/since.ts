/**
 * Owns since which version of the peer protocol each thing that nodes say exists. A kind without a row does not compile;
 * a new one gets the newest version, and a network in which nodes of both versions run does without it.
 */
import { type Dated, type ProtocolVersion, USER_META_VERSION } from '../peer/protocol.ts'
import type { Message } from '../replication/chain/messages.ts'
import type { CallKind, PeerCall, PeerStream } from './calls.ts'

type Kind = CallKind | PeerStream['kind'] | Message['kind']

export const SINCE: { readonly [K in Kind]: ProtocolVersion } = {
  // Calls.
  join: 1,
  learn: 1,
  lookup: 1,
  'has-body': 1,
  list: 1,
  ranges: 1,
  // The check of the network.
  digests: 2,
  versions: 2,
  record: 2,
  mend: 2,
  heal: 2,
  // Recovery by force.
  holdings: 2,
  recover: 2,
  recovered: 2,
  recoveries: 2,
  // The way around a link that carries nothing.
  forward: 4,
  forwarded: 4,
  // Streams.
  check: 2,
  // Messages of replication.
  prepare: 1,
  promise: 1,
  accept: 1,
  accepted: 1,
  outbid: 1,
  decided: 1,
  teach: 1,
  install: 1,
  installed: 1,
  active: 1,
  'pre-copy': 1,
  'pre-copied': 1,
  'back-filled': 1,
  complete: 1,
  'ask-complete': 1,
  compare: 1,
  difference: 1,
  'no-difference': 1,
  pass: 1,
  acknowledge: 1,
  floor: 1,
  settled: 3,
  confirm: 1,
  confirmed: 1,
  read: 1,
  write: 1,
  burn: 1,
  stage: 1,
  where: 1,
  value: 1,
  written: 1,
  failed: 1,
  'key-refused': 1,
  stale: 1,
  unsettled: 1,
  staged: 1,
  refused: 1,
  'blob-wanted': 1,
  blob: 1,
  'blob-missing': 1,
  'stage-on': 1,
  ping: 1,
  pong: 1,
  suspect: 1,
  impostor: 1,
}

/** What is said, with the version since which it exists. */
export function datedOf(said: PeerCall | PeerStream | Message): Dated {
  const { kind } = said
  return { kind, since: keepsUserMeta(said) ? USER_META_VERSION : SINCE[kind] }
}

/** Whether the version has that kind of thing at all. What else an older node repeats in it of a newer one is taken. */
export function isKnownIn(version: ProtocolVersion, { kind }: PeerCall | PeerStream | Message): boolean {
  return SINCE[kind] <= version
}

/** Whether who takes it keeps a record with user metadata: an older program would drop that, and call the record whole. */
function keepsUserMeta(said: PeerCall | PeerStream | Message): boolean {
  switch (said.kind) {
    case 'write': {
      const { operation } = said.request
      return operation.kind === 'put' && operation.meta.user !== undefined
    }
    case 'pass':
      return said.record.meta?.user !== undefined
    case 'difference':
      return said.records.some(({ meta }) => meta?.user !== undefined)
    default:
      return false
  }
}
