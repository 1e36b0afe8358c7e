/**
 * The gate that refuses what only the newest version of the peer protocol can keep as long as a node of an older one would have to: while a
 * network is upgraded, a record with user metadata is written only where nobody drops that (docs/decisions/0210).
 */

import type { PeerCall } from '../calls/calls.ts'
import { errorCode } from '../errors.ts'
import type { CallOptions } from '../peer/peers.ts'
import { type PeerVersions, USER_META_VERSION } from '../peer/protocol.ts'
import type { Address } from '../ring/identifier.ts'

export interface UpgradeGateComponents {
  readonly versions: Pick<PeerVersions, 'of' | 'versionFor'>
  /** All other nodes that are believed alive. */
  readonly others: () => readonly Address[]
  /** Asks a node; what it speaks is known by its answer. */
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<unknown>
  readonly signal: AbortSignal
}

const WHAT = 'user metadata'

/** From asking a node what it speaks to its answer, ms. */
const ASKED_TIMEOUT_MS = 2_000

export class UpgradeGate {
  readonly #components: UpgradeGateComponents

  constructor(components: UpgradeGateComponents) {
    this.#components = components
  }

  /**
   * Lets a write of user metadata pass when all nodes that will keep it know what that is. A replica of which nothing is known
   * is asked; of the others, which may be replicas tomorrow, those count that are known to be older.
   * @throws StoreError PROTOCOL_UNSUPPORTED, which names the node that has to be upgraded.
   */
  async refuseOutdated(replicas: readonly (Address | undefined)[]): Promise<void> {
    const { versions, others, call, signal } = this.#components
    const options = { timeoutMs: ASKED_TIMEOUT_MS, signal }
    const all = others()
    const unknown = all.filter(address => versions.of(address) === undefined && replicas.includes(address))
    await Promise.all(
      unknown.map(address =>
        call(address, { kind: 'learn', records: [] }, options).catch(error => {
          // Who does not answer is not sent the record either, unless it has shown by then what it speaks.
          if (errorCode(error) !== 'UNAVAILABLE') throw error
        }),
      ),
    )
    for (const address of all)
      if (versions.of(address) !== undefined) versions.versionFor(address, USER_META_VERSION, WHAT)
  }
}
