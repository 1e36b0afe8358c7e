/**
 * The lookups of one node: who answers for a key as far as its machine knows, and how the next node is asked.
 */

import type { PeerAnswer, PeerCall } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { errorCode } from '../errors.ts'
import type { Members } from '../membership/members.ts'
import type { CallOptions } from '../peer/peers.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import { CHAIN_DEFAULTS } from '../replication/chain/patience.ts'
import type { Address, Identifier } from '../ring/identifier.ts'
import { type LookupResult, Lookups, type Responsible } from '../routing/lookup.ts'
import type { MapRecord } from '../routing/map-record.ts'
import { serves } from '../views/install.ts'
import type { View } from '../views/view.ts'

/** All tries of one lookup, ms. */
const LOOKUP_BUDGET_MS = 5_000

export interface RingLookupsComponents {
  readonly env: Env
  readonly members: Members
  readonly driver: ChainDriver
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<PeerAnswer>
  /** Somebody could not reach that node: it is tried from here. */
  readonly observe: (record: MapRecord) => void
  readonly keepView: (view: View) => void
}

export function ringLookups(components: RingLookupsComponents): Lookups<View> {
  const { env, members, call, observe, keepView } = components
  const { map, routing, suspects } = members
  return new Lookups<View>({
    map,
    routing,
    suspects,
    clock: env.clock,
    responsible: key => responsibleFor(components, key),
    keepView,
    observe,
    peers: {
      lookup: async ({ address, nodeId }, request, signal) => {
        const options = { timeoutMs: request.budgetMs, signal, node: nodeId }
        const answer = await call(address, { kind: 'lookup', request }, options)
        return answer as Awaited<ReturnType<Lookups<View>['answer']>>
      },
    },
  })
}

function responsibleFor(
  { driver, members }: RingLookupsComponents,
  key: Identifier,
): Responsible<View> | undefined {
  const { known } = driver
  const view = known.covering(key)
  if (view === undefined) return undefined
  const state = known.state(view.id)
  if (state !== undefined && serves(state) && view.replicas.includes(known.self)) return { here: true, view }
  if (members.routing.answersFor(key)) return { here: true, view }
  const replicas = view.replicas.map(node => members.map.record(node))
  return { here: false, replicas: replicas.filter(record => record !== undefined) }
}

/** A lookup that is tried again while its range changes. @throws StoreError UNAVAILABLE. */
export async function lookupInTime(
  lookups: Lookups<View>,
  key: Identifier,
  { clock, timers }: Env,
  signal: AbortSignal,
): Promise<LookupResult<View>> {
  const deadlineMs = clock.monotonicMs() + LOOKUP_BUDGET_MS
  for (let tries = 0; ; tries++) {
    try {
      return await lookups.lookup(key, { budgetMs: deadlineMs - clock.monotonicMs(), signal })
    } catch (error) {
      // While a range changes its view, nobody serves it for a moment.
      const pauseMs = CHAIN_DEFAULTS.retryMs * 2 ** Math.min(tries, 4)
      if (errorCode(error) !== 'UNAVAILABLE' || clock.monotonicMs() + pauseMs >= deadlineMs) throw error
      await timers.sleep(pauseMs, signal)
    }
  }
}
