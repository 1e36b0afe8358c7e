/**
 * The versions of the peer protocol: which ones this program speaks, and which one each other node was last known to
 * speak. Two versions are spoken, so that a network is upgraded node by node.
 */
import { StoreError } from '../errors.ts'
import type { Address } from '../ring/identifier.ts'
import type { PeerIdentity } from './peers.ts'

export type ProtocolVersion = 3 | 4 | 5

/** Something that exists since a version of the protocol, and its kind, for people. */
export interface Dated {
  readonly kind: string
  readonly since: ProtocolVersion
}

/** The version that this program speaks. It also understands the one before. */
export const PROTOCOL_VERSION = 5 satisfies ProtocolVersion

/** The oldest version that there is. Since it a request is good for one node and for once, and its answer is signed (turns.ts). */
export const OLDEST_VERSION = 3 satisfies ProtocolVersion

/** Since this version messages travel over a link that stays open (peer-link.ts), and not in a request for each batch. */
export const LINK_VERSION = 5 satisfies ProtocolVersion

/** Since this version nodes keep what was replaced or removed; an older program carries records without their trash. */
export const TRASH_VERSION = 5 satisfies ProtocolVersion

/** Since this version a network may keep its files with eventual consistency; an older program would take it for one with chains. */
export const EVENTUAL_VERSION = 5 satisfies ProtocolVersion

/** Peers remembered, the one heard of longest ago goes first; as many as connections are kept to (http-peers.ts). */
const PEERS_MAX = 1024

interface Known {
  readonly version: ProtocolVersion
  /** The start of a disk that said so; undefined when the peer has only refused the other version. */
  readonly from: PeerIdentity | undefined
}

export class PeerVersions {
  readonly newest: ProtocolVersion
  readonly oldest: ProtocolVersion
  readonly #known = new Map<Address, Known>()

  /** `speaks` makes a node behave as a program of that version; for tests of an upgrade. */
  constructor(init: { readonly speaks?: ProtocolVersion } = {}) {
    this.newest = init.speaks ?? PROTOCOL_VERSION
    this.oldest = Math.max(OLDEST_VERSION, this.newest - 1) as ProtocolVersion
  }

  understands(version: number): version is ProtocolVersion {
    return version === this.newest || version === this.oldest
  }

  /** The newest version that both sides speak; undefined as long as nothing is known of that peer. */
  of(peer: Address): ProtocolVersion | undefined {
    return this.#known.get(peer)?.version
  }

  /**
   * The version in which that peer is asked for what exists since `since`. One of which nothing is known is asked in the
   * older version when that has it.
   * @throws StoreError PROTOCOL_UNSUPPORTED: one of the two nodes has to be upgraded first.
   */
  versionFor(peer: Address, since: ProtocolVersion, what: string): ProtocolVersion {
    if (since > this.newest) throw outdated('This node', this.newest, since, what)
    const version = this.of(peer) ?? (Math.max(this.oldest, since) as ProtocolVersion)
    if (version < since) throw outdated(`The node ${peer}`, version, since, what)
    return version
  }

  /** Who answers there has shown, signed, that it speaks up to `version`. What an earlier start said comes too late. */
  heard(peer: Address, from: PeerIdentity, version: number): void {
    const known = this.#known.get(peer)
    const common = Math.max(this.oldest, Math.min(this.newest, version)) as ProtocolVersion
    const isSameDisk = known?.from?.nodeId === from.nodeId
    const startsLater = isSameDisk ? from.boot.counter - known.from.boot.counter : 1
    if (startsLater < 0) return
    // No program changes while it runs: the older one of two words was for somebody of whom it knew nothing yet.
    const isKnownBetter = startsLater === 0 && known !== undefined && known.version > common
    this.#keep(peer, { version: isKnownBetter ? known.version : common, from })
  }

  /** That peer has refused a message for its version: it is spoken to in the other one until it says more. */
  refused(peer: Address, version: ProtocolVersion): void {
    const other = version === this.newest ? this.oldest : this.newest
    this.#keep(peer, { version: other, from: undefined })
  }

  /** Nothing listens there: whatever answers next may be another program. */
  forget(peer: Address): void {
    this.#known.delete(peer)
  }

  #keep(peer: Address, known: Known): void {
    this.#known.delete(peer)
    if (this.#known.size >= PEERS_MAX) {
      const oldest = this.#known.keys().next().value
      if (oldest !== undefined) this.#known.delete(oldest)
    }
    this.#known.set(peer, known)
  }
}

function outdated(who: string, speaks: number, since: number, what: string): StoreError {
  return new StoreError(
    'PROTOCOL_UNSUPPORTED',
    `${who} speaks the peer protocol ${speaks}, and "${what}" exists since ${since}: it has to be upgraded.`,
  )
}
