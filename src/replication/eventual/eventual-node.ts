/**
 * Everything that one node does to keep files with eventual consistency, put together: it takes part from its first moment, whatever becomes of the
 * views, and tells an operator how it is doing.
 */
import type { Env } from '../../env.ts'
import { errorCode } from '../../errors.ts'
import type { Arc } from '../../ring/arc.ts'
import { type Identifier, identifierOfPath, type NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import { Accepting } from './accepting.ts'
import { Collecting } from './collecting.ts'
import type { EventualAsk, EventualAsks, EventualPeers, Responsibility, Taken } from './eventual-calls.ts'
import { stateOf } from './eventual-record.ts'
import { EventualReplica } from './eventual-replica.ts'
import type { EventualTableInit } from './eventual-table.ts'
import { Passing } from './passing.ts'
import { Syncing } from './syncing.ts'

export interface EventualNodeComponents {
  readonly env: Env
  readonly store: ReplicaStore
  readonly peers: EventualPeers
  readonly responsibility: Responsibility
  /** Finds out who keeps a path that this node knows no replica of. @throws StoreError. */
  readonly lookUp: (path: PathName) => Promise<unknown>
}

/** How a node is doing, for whoever runs it. */
export interface EventualStatus {
  readonly records: number
  readonly tombstones: number
  /** Versions that stand beside a newer one. */
  readonly conflicts: number
  /** Records that some node does not have yet, and how many each node lacks. */
  readonly owed: number
  readonly owedTo: Readonly<Record<NodeId, number>>
  /** Ranges that are still to be compared with another node. */
  readonly comparing: number
  /** Nodes without which tombstones can't go. */
  readonly tombstonesWaitFor: readonly NodeId[]
  /** Since the start. */
  readonly accepted: number
  readonly hinted: number
  readonly passed: number
  readonly merged: number
  readonly siblingsDropped: number
  readonly collected: number
}

export class EventualNode {
  readonly replica: EventualReplica
  readonly passing: Passing
  readonly syncing: Syncing
  readonly collecting: Collecting
  readonly #accepting: Accepting
  readonly #responsibility: Responsibility
  readonly #peers: Pick<EventualPeers, 'pullBody'>
  #isPulling = false

  constructor(components: EventualNodeComponents, init: EventualTableInit) {
    this.#responsibility = components.responsibility
    this.#peers = components.peers
    // The first look of a node that starts is at everything.
    const looksAfter = (position: Identifier) => this.syncing?.looksAfter(position) ?? true
    this.passing = new Passing({ ...components, looksAfter, replica: () => this.replica })
    this.replica = new EventualReplica(
      { ...components, changed: (path, held) => this.passing.noticed(path, held) },
      init,
    )
    const parts = { ...components, replica: this.replica }
    this.syncing = new Syncing({ ...parts, hurry: () => this.#hurry() })
    this.#accepting = new Accepting({ ...parts, syncing: this.syncing })
    this.collecting = new Collecting({
      ...parts,
      exchange: (node, path) => this.syncing.exchange(node, path),
      remind: () => this.syncing.remind(),
      lacks: (node, path) => this.passing.lacks(node, path),
    })
  }

  /** Answers another node. @throws StoreError. */
  async answer<Kind extends EventualAsk>(
    kind: Kind,
    ask: EventualAsks[Kind]['ask'],
  ): Promise<EventualAsks[Kind]['answer']> {
    const { replica } = this
    const answers: {
      readonly [One in EventualAsk]: (ask: EventualAsks[One]['ask']) => Promise<EventualAsks[One]['answer']>
    } = {
      accept: async asked => {
        this.passing.assertRoom()
        return this.#accepting.accept(asked)
      },
      fetch: async ({ path, asReplica, keepers }) => ({
        record: keepers === undefined ? replica.fetch(path) : await replica.admit(path, keepers),
        ...(asReplica === true && this.#isElsewhere(path) && { elsewhere: true }),
      }),
      take: async asked => {
        const taken = await replica.take(asked)
        if (asked.pulls === true) void this.#pull(taken)
        return taken
      },
      confirm: asked => replica.confirm(asked),
      collected: asked => replica.collected(asked),
      digests: async ({ prefixes, ...arc }) => ({
        digests: prefixes.map(prefix => replica.table.digest(arc, prefix)),
      }),
      versions: async ({ prefix, ...arc }) => ({ versions: [...this.#versions(arc, prefix)] }),
    }
    const answer = await answers[kind](ask)
    if (replica.table.hasToCollect) this.collecting.notice()
    return answer
  }

  /** Large bodies that another node can't bring come from others who keep the path. It sends their records again. */
  async #pull({ lacking }: Taken): Promise<void> {
    if (this.#isPulling) return
    this.#isPulling = true
    const { self, replicasOf } = this.#responsibility
    try {
      for (const [path, blob] of lacking) {
        const from = replicasOf(identifierOfPath(path)).find(node => node !== self)
        if (from !== undefined) await this.#peers.pullBody(from, path, blob).catch(onlyRefusals)
      }
    } finally {
      this.#isPulling = false
    }
  }

  /** Whether others keep a path, as far as this node knows. */
  #isElsewhere(path: PathName): boolean {
    const { self, replicasOf } = this.#responsibility
    const replicas = replicasOf(identifierOfPath(path))
    return replicas.length > 0 && !replicas.includes(self)
  }

  /** Brings ranges together that differ, then collects tombstones; for an operator who can't wait. */
  async heal(): Promise<void> {
    this.passing.hurry()
    await this.syncing.compareAll()
    await this.collecting.collect()
  }

  /** Nothing of what lies here is needed by others: all files are where they belong, and everything is told. */
  get isHandedOver(): boolean {
    const { records, tombstones } = this.replica.table.counts
    return records === tombstones && this.passing.counts.paths === 0
  }

  status(): EventualStatus {
    const { paths, byNode, passed } = this.passing.counts
    const { ranges, merged } = this.syncing.counts
    return {
      ...this.replica.table.counts,
      owed: paths,
      owedTo: Object.fromEntries(byNode) as Record<NodeId, number>,
      comparing: ranges,
      tombstonesWaitFor: this.collecting.waitingFor,
      ...this.replica.counts,
      passed,
      merged,
    }
  }

  close(): void {
    this.passing.close()
    this.syncing.close()
    this.collecting.close()
  }

  #hurry(): void {
    this.passing.hurry()
    if (this.replica.table.hasToCollect) this.collecting.notice()
  }

  *#versions(arc: Arc, prefix: string): Generator<readonly [PathName, number, number, boolean]> {
    for (const { record } of this.replica.table.within(arc, prefix)) {
      const { epoch, seq } = stateOf(record)
      yield [record.path, epoch, seq, record.siblings.length > 0]
    }
  }
}

/** @throws what is a defect. */
function onlyRefusals(error: unknown): void {
  if (errorCode(error) === undefined) throw error
}
