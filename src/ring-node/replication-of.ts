/**
 * How the layers above reach the files of a network: by its chains, or with eventual consistency, as the network keeps them; and the lists of both.
 */
import type { ListAnswer, ListAsk } from '../calls/calls.ts'
import { NetworkList, type NetworkListComponents } from '../operations/network-list.ts'
import { ownPart, partHere } from '../operations/own-part.ts'
import { ChainReplication, type ChainReplicationComponents } from '../replication/chain/chain-replication.ts'
import { LostRanges } from '../replication/chain/lost-ranges.ts'
import { RangeCheck, type RangeCheckComponents } from '../replication/chain/range-check.ts'
import type { EventualCheck } from '../replication/eventual/eventual-check.ts'
import type { Replication } from '../replication/replication.ts'
import type { EventualParts } from './eventual-wiring.ts'

export interface ReplicationOfComponents
  extends Omit<ChainReplicationComponents, 'lost' | 'list'>,
    Pick<NetworkListComponents, 'askOthers'> {
  readonly eventual: EventualParts | undefined
}

export function replicationOf(
  components: ReplicationOfComponents,
  { signal }: { readonly signal: AbortSignal },
): Replication {
  const { env, storage, driver, eventual, askOthers } = components
  if (eventual !== undefined) {
    const own = async (ask: ListAsk) => eventualPart({ storage, eventual }, ask)
    const list = new NetworkList({ env, signal, whenLost: async () => [], own, askOthers })
    return eventual.replication({ ...components, list: query => list.list(query) })
  }
  const lost = new LostRanges(components)
  signal.addEventListener('abort', () => lost.close())
  const list = new NetworkList({
    env,
    signal,
    whenLost: async () => lost.addresses(await lost.whenAnyLost()),
    own: ask => ownPart({ env, driver, storage }, ask),
    askOthers,
  })
  return new ChainReplication(
    { ...components, lost, list: query => list.list(query) },
    { self: driver.known.self },
  )
}

/** Compares and reads what this node keeps of a range. */
export function rangeCheckOf({
  eventual,
  ...components
}: RangeCheckComponents & Pick<ReplicationOfComponents, 'eventual'>): RangeCheck | EventualCheck {
  return eventual === undefined ? new RangeCheck(components) : eventual.check()
}

/** This node's part of a list where nobody is asked whether a newer view has another: what it has of the ranges that it takes itself to answer for. */
export function eventualPart(
  { storage, eventual }: Pick<ReplicationOfComponents, 'storage'> & { readonly eventual: EventualParts },
  ask: ListAsk,
): ListAnswer {
  const arcs = eventual.listedArcs(ask.insteadOf)
  const { lines, levels, upTo } = partHere(storage, ask, arcs, new Set())
  return { lines, ...(ask.delimiter !== undefined && { levels }), upTo, arcs }
}
