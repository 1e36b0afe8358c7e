/**
 * Owns what nodes ask each other one to one, apart from the messages of replication: one call, one answer.
 */
import type { Arc } from '../ring/arc.ts'
import type { PathName } from '../ring/path-name.ts'
import type { LookupReply, LookupRequest } from '../routing/lookup.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { BlobId } from '../storage/record.ts'
import type { ListEntry } from '../storage/storage.ts'
import type { View } from '../views/view.ts'
import type { NetworkConfig, NetworkWish } from './network-config.ts'
import type { RangeReport } from './overlay.ts'

/** What can be asked, and what is answered. */
export interface PeerCalls {
  /** "May I join?" Answered with what every node of the network has to know; a wish that contradicts it is refused. */
  join: {
    readonly ask: { readonly record: MapRecord; readonly wish?: NetworkWish }
    readonly answer: JoinAnswer
  }
  /** News of the network map; answered with the receiver's own record. */
  learn: {
    readonly ask: { readonly records: readonly MapRecord[] }
    readonly answer: { readonly record: MapRecord }
  }
  lookup: { readonly ask: { readonly request: LookupRequest }; readonly answer: LookupReply<View> }
  'has-body': { readonly ask: { readonly blobId: BlobId }; readonly answer: { readonly has: boolean } }
  list: { readonly ask: ListAsk; readonly answer: ListAnswer }
  /** The ranges that the asked node has a part in. */
  ranges: { readonly ask: object; readonly answer: { readonly ranges: readonly RangeReport[] } }
}

export interface JoinAnswer {
  readonly network: NetworkConfig
  /** The whole map: it makes the start easy. */
  readonly records: readonly MapRecord[]
}

export interface ListAsk {
  readonly prefix: string
  readonly after: string | undefined
  /** Lines at the most. */
  readonly limit: number
}

export interface ListAnswer {
  /** The files of the ranges below, in byte order, from after `after` on. */
  readonly lines: readonly ListEntry[]
  /** The last path looked at; undefined when everything was. */
  readonly upTo: PathName | undefined
  /** The ranges that the asked node answers for. */
  readonly arcs: readonly ListedArc[]
}

export interface ListedArc extends Arc {
  /** Of the view: the greater one is the newer one. */
  readonly epoch: number
}

export type CallKind = keyof PeerCalls

export type PeerCall = { [Kind in CallKind]: { readonly kind: Kind } & PeerCalls[Kind]['ask'] }[CallKind]

export type PeerAnswer = PeerCalls[CallKind]['answer']

const KINDS: Record<CallKind, true> = {
  join: true,
  learn: true,
  lookup: true,
  'has-body': true,
  list: true,
  ranges: true,
}

export function isPeerCall(value: unknown): value is PeerCall {
  const kind = (value as { kind?: unknown } | null)?.kind
  return typeof kind === 'string' && Object.hasOwn(KINDS, kind)
}
