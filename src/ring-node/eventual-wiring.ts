/**
 * How a node of a network with eventual consistency is put together: the views say who is responsible, as everywhere, and keep no records; files
 * are kept by src/replication/eventual.
 */
import type { NetworkConfig } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import { assert } from '../invariant.ts'
import type { Members } from '../membership/members.ts'
import { type NetworkState, RETIRED_REFUSED } from '../membership/network-config.ts'
import type { Asking } from '../operations/asking.ts'
import type { BodyCarrier } from '../replication/chain/body-carrier.ts'
import type { ChainDriver, ChainDriverComponents } from '../replication/chain/driver.ts'
import type { DriverObserver } from '../replication/chain/driver-observer.ts'
import { holdersOf } from '../replication/chain/network-view.ts'
import { actorOf } from '../replication/eventual/dot.ts'
import type { EventualPeers, Responsibility } from '../replication/eventual/eventual-calls.ts'
import { EventualCheck } from '../replication/eventual/eventual-check.ts'
import { EventualNode } from '../replication/eventual/eventual-node.ts'
import {
  EventualReplication,
  type EventualReplicationComponents,
} from '../replication/eventual/eventual-replication.ts'
import type { Identifier, NodeId } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import { type RingPosition, sortRing, successorsOf } from '../ring/placement.ts'
import type { ReplicaStore } from '../storage/replica-store.ts'
import type { Storage } from '../storage/storage.ts'
import { EventualWays } from './eventual-ways.ts'

/**
 * Where the machine of the views keeps what it keeps. With eventual consistency that is its own values, and no files; `changed` is told when views of this
 * node may have changed.
 */
export function storeOfViews(
  store: ReplicaStore,
  { consistency }: Pick<NetworkConfig, 'consistency'>,
  changed: () => void,
): Pick<ChainDriverComponents, 'store' | 'observer'> {
  if (consistency !== 'eventual') return { store }
  const durable: DriverObserver['durable'] = writes => {
    if (writes.some(({ kind }) => kind === 'view')) changed()
  }
  return { store: viewsOnly(store), observer: { stepped: () => undefined, durable } }
}

function viewsOnly(store: ReplicaStore): ReplicaStore {
  return {
    record: () => undefined,
    records: () => [],
    tombstones: () => [],
    inspect: () => [],
    values: prefix => store.values(prefix),
    apply: batch => {
      assert(batch.records.length === 0, 'the chain keeps no files in a network with eventual consistency')
      return store.apply(batch)
    },
    receive: (...receipt) => store.receive(...receipt),
    replaceBlob: (...replacing) => store.replaceBlob(...replacing),
    openBlob: (...opening) => store.openBlob(...opening),
    hasBlob: blobId => store.hasBlob(blobId),
    tryBody: () => store.tryBody(),
  }
}

export interface EventualWiring {
  readonly env: Env
  readonly storage: Storage & { readonly replica: ReplicaStore }
  readonly driver: ChainDriver
  readonly members: Members
  readonly network: Pick<NetworkState, 'now'>
  readonly asking: () => Asking
  readonly carrier: () => BodyCarrier
  /** Finds out who keeps a path. @throws StoreError. */
  readonly lookUp: (path: PathName) => Promise<unknown>
}

/** Undefined where files are kept by chains. */
export function eventualPartsOf(wiring: EventualWiring): EventualParts | undefined {
  return wiring.network.now.consistency === 'eventual' ? new EventualParts(wiring) : undefined
}

/** One node's part, and its ports. */
export class EventualParts {
  readonly node: EventualNode
  readonly ways: EventualWays
  readonly #wiring: EventualWiring
  readonly #peers: EventualPeers
  readonly #responsibility: Responsibility
  #replication: EventualReplication | undefined
  #ring: { readonly of: unknown; readonly positions: readonly RingPosition[] } | undefined

  constructor(wiring: EventualWiring) {
    this.#wiring = wiring
    const { env, storage, driver, lookUp } = wiring
    this.#responsibility = this.#makeResponsibility()
    const { isAlive } = this.#responsibility
    const { startOf } = driver.known
    const { members, asking } = wiring
    this.ways = new EventualWays({ env, members, asking, isAlive, startOf })
    this.#peers = this.#makePeers()
    const parts = {
      ...{ env, lookUp, store: storage.replica, peers: this.#peers },
      responsibility: this.#responsibility,
    }
    const { self, boot } = driver.known
    this.node = new EventualNode(parts, { actor: actorOf(self, boot) })
  }

  replication(
    others: Pick<EventualReplicationComponents, 'refused' | 'lookup' | 'list'>,
  ): EventualReplication {
    const { env, storage, members, network, carrier } = this.#wiring
    this.#replication = new EventualReplication({
      env,
      storage,
      node: this.node,
      peers: this.#peers,
      responsibility: this.#responsibility,
      carrier: carrier(),
      conflicts: () => network.now.conflicts ?? 'keep',
      ...others,
      addressOf: node => members.addressOf(node),
      following: position => this.#following(position),
    })
    return this.#replication
  }

  check(): EventualCheck {
    const { env, storage, driver, carrier } = this.#wiring
    const { node } = this
    return new EventualCheck({
      ...{ env, storage, driver, node },
      peers: this.#peers,
      responsibility: this.#responsibility,
      carrier: carrier(),
    })
  }

  /** Nodes that may have the body of a path, the one that has shown the file first. */
  holdersOf(path: PathName | undefined): readonly NodeId[] {
    const giver = path === undefined ? undefined : this.#replication?.giverOf(path)
    const others = holdersOf(this.#wiring.driver.known, path)
    return giver === undefined ? others : [giver, ...others.filter(node => node !== giver)]
  }

  /** Ranges that this node lists: those of which it is the first replica that is there; `insteadOf` nodes, those where it follows on such a one. */
  listedArcs(insteadOf?: readonly NodeId[]) {
    const { known } = this.#wiring.driver
    const isListed = (replicas: readonly NodeId[]) => {
      if (insteadOf === undefined) return isFirstThere(known, replicas)
      const others = replicas.filter(node => !insteadOf.includes(node))
      return others.length < replicas.length && !isFirstThere(known, replicas) && isFirstThere(known, others)
    }
    return known
      .newest()
      .filter(({ replicas }) => isListed(replicas))
      .map(({ lo, hi, epoch, id }) => ({ lo, hi, epoch, id }))
  }

  /** @throws StoreError WRONG_NETWORK: a node that was retired takes no part, whatever its disk holds. */
  assertNotRetired(node: NodeId): void {
    if (!this.#wiring.network.now.retired?.includes(node)) return
    throw new StoreError('WRONG_NETWORK', RETIRED_REFUSED)
  }

  #makeResponsibility(): Responsibility {
    const { driver, members, network } = this.#wiring
    const { known } = driver
    const { self } = known
    return {
      self,
      replicasOf: position => known.covering(position)?.replicas ?? [],
      ownRanges: () =>
        known
          .newest()
          .filter(({ replicas }) => replicas.includes(self))
          .map(({ id, lo, hi, replicas, sources }) => ({
            ...{ id, lo, hi },
            nodes: [...new Set([...replicas, ...sources.flatMap(source => source.replicas)])],
            isHead: isFirstThere(known, replicas),
          })),
      isAlive: node => known.isAlive(node) && members.isThere(node),
      isGone: node => network.now.retired?.includes(node) ?? false,
      copiesWanted: () => {
        const live = members.alive().filter(({ nodeId }) => nodeId === self || known.isAlive(nodeId)).length
        return Math.max(1, Math.min(network.now.replicas, live))
      },
    }
  }

  #makePeers(): EventualPeers {
    const { carrier } = this.#wiring
    return {
      ask: (node, kind, ask) => this.ways.ask(node, kind, ask),
      pushBody: (node, blob) => carrier().push(node, blob),
      pullBody: async (_node, path, blob) => carrier().fetch(blob, path),
    }
  }

  /** Live nodes from a position on. */
  #following(position: Identifier): readonly NodeId[] {
    const { members } = this.#wiring
    const alive = members.alive()
    const of = alive.map(({ nodeId }) => nodeId).join()
    if (this.#ring?.of !== of) {
      const isAlive = new Set(alive.map(({ nodeId }) => nodeId))
      const nodes = members.chainMembers().filter(({ node }) => isAlive.has(node))
      const positions = nodes.flatMap(({ node: nodeId, identifiers, zone }) =>
        identifiers.map(identifier => ({ identifier, nodeId, zone })),
      )
      this.#ring = { of, positions: sortRing(positions) }
    }
    return successorsOf(this.#ring.positions, position).map(({ nodeId }) => nodeId)
  }
}

/** Whether this node is the first of these replicas that is there. */
function isFirstThere({ self, isAlive }: ChainDriver['known'], replicas: readonly NodeId[]): boolean {
  return replicas.find(node => node === self || isAlive(node)) === self
}
