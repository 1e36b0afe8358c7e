/** A few nodes of the eventual model that ask each other in this process, on a clock that stands until it is told to go on. */
import { Readable } from 'node:stream'
import { StoreError } from '../../../src/errors.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import type { Actor } from '../../../src/replication/eventual/dot.ts'
import type {
  Accepted,
  EventualAsks,
  EventualPeers,
} from '../../../src/replication/eventual/eventual-calls.ts'
import { EventualNode } from '../../../src/replication/eventual/eventual-node.ts'
import { WHOLE_RING } from '../../../src/ring/arc.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import type { ReplicaStore } from '../../../src/storage/replica-store.ts'

export class LinkedNodes {
  readonly clock = new VirtualClock()
  /** Who keeps everything, the head first. */
  replicas: readonly NodeId[]
  /** Nodes that believe something else of that. */
  readonly beliefs = new Map<NodeId, readonly NodeId[]>()
  /** Who does not answer, whom everybody takes for dead. */
  readonly silent = new Set<NodeId>()
  /** Whom everybody takes for dead, though they answer. */
  readonly seemDead = new Set<NodeId>()
  readonly gone = new Set<NodeId>()
  /** `a>b`: large bodies do not get from the one to the other. */
  readonly cut = new Set<string>()
  /** Whose disk takes nothing. */
  readonly full = new Set<NodeId>()
  /** As of a node; for those that start from now on. */
  spansKept: number | undefined
  readonly #nodes = new Map<NodeId, EventualNode>()
  readonly #stores = new Map<NodeId, ReplicaStore>()
  #starts = 0

  constructor(ids: readonly string[], replicas: readonly string[]) {
    this.replicas = replicas as NodeId[]
    for (const id of ids) this.start(id)
  }

  node(id: string): EventualNode {
    return this.#nodes.get(id as NodeId) as EventualNode
  }

  /** A process on the disk of a node; the one before it is gone. */
  start(name: string): void {
    const id = name as NodeId
    this.#nodes.get(id)?.close()
    const start = ++this.#starts
    const env = this.clock.env({
      randomness: new SeededRandom(start),
      log: { debug() {}, info() {}, warn() {}, error() {} },
    })
    const store = this.#stores.get(id) ?? new MemoryStorage({ env }).replica
    this.#stores.set(id, store)
    const mayFail = (name: string) =>
      name === 'apply' && this.full.has(id)
        ? () => Promise.reject(new StoreError('DISK_FULL', 'No space is left.'))
        : undefined
    const watched = new Proxy(store, {
      get: (target, name: keyof ReplicaStore) =>
        mayFail(name) ?? (target[name] as CallableFunction).bind(target),
    })
    const node = new EventualNode(
      {
        env,
        store: watched,
        peers: this.#peers(id),
        lookUp: async () => this.beliefs.delete(id),
        responsibility: {
          self: id,
          replicasOf: () => this.#replicasFor(id),
          ownRanges: () => (this.#replicasFor(id).includes(id) ? [this.#range(id)] : []),
          isAlive: one => !this.silent.has(one) && !this.seemDead.has(one),
          isGone: one => this.gone.has(one),
          copiesWanted: () => 2,
        },
      },
      {
        actor: `${id}/${start}` as Actor,
        ...(this.spansKept !== undefined && { spansKept: this.spansKept }),
      },
    )
    this.#nodes.set(id, node)
  }

  /** Everybody hears of who is responsible now. */
  viewsChanged(): void {
    for (const node of this.#nodes.values()) node.syncing.viewsChanged()
  }

  async pass(ms: number): Promise<void> {
    await this.clock.runSettled(this.clock.monotonicMs() + ms)
  }

  /** Resolves when what was asked for is done; time goes on meanwhile. */
  async done<T>(act: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    act.then(settled, settled)
    for (let turns = 0; !isSettled && turns < 1_000; turns++) await this.pass(100)
    return act
  }

  put(id: string, path: string, request = `put ${path}`): Promise<unknown> {
    const bytes = Buffer.from(request)
    const body = {
      size: bytes.length,
      sha256: '0'.repeat(64),
      blockChecksums: [0],
      content: { inline: bytes },
    }
    const file = { body, meta: { mediaType: 'text/plain' } }
    return this.#accept(id, path, request, file)
  }

  /** The same of a large file. */
  async putLarge(id: string, path: string): Promise<unknown> {
    const blobId = `large-${path}` as BlobId
    const bytes = [Buffer.alloc(100_000, path)]
    const body = await this.#stores.get(id as NodeId)?.receive(blobId, Readable.from(bytes), { sizeMax: 1e9 })
    const content = { blobId }
    return this.#accept(id, path, `put ${path}`, {
      body: { ...body, content },
      meta: { mediaType: 'text/plain' },
    })
  }

  remove(id: string, path: string): Promise<unknown> {
    return this.#accept(id, path, `remove ${path}`, undefined)
  }

  /** Asks for a change whose condition is another than none. */
  change(id: string, acceptance: Partial<EventualAsks['accept']['ask']>): Promise<Accepted> {
    const ask = { condition: 'none', request: 'changes', file: undefined, ...acceptance }
    return this.done(this.node(id).answer('accept', ask as EventualAsks['accept']['ask']))
  }

  /** How many versions of a path a node has; undefined: nothing at all. */
  versions(id: string, path: string): number | undefined {
    return this.node(id).replica.fetch(path as PathName)?.siblings.length
  }

  close(): void {
    for (const node of this.#nodes.values()) node.close()
  }

  #accept(id: string, path: string, request: string, file: never | object | undefined): Promise<unknown> {
    const acceptance = {
      path: path as PathName,
      condition: 'none',
      request: `${id}-${request.replaceAll(/\s/g, '-')}`,
      file,
    } as never
    return this.done(this.node(id).answer('accept', acceptance))
  }

  #replicasFor(id: NodeId): readonly NodeId[] {
    return this.beliefs.get(id) ?? this.replicas
  }

  #range(id: NodeId) {
    const nodes = this.#replicasFor(id)
    const isHead = nodes.find(one => !this.silent.has(one)) === id
    return { ...WHOLE_RING, id: nodes.join(), nodes, isHead }
  }

  async #carry(from: NodeId, to: NodeId, blobId: BlobId): Promise<void> {
    if (this.cut.has(`${from}>${to}`)) throw new StoreError('UNAVAILABLE', 'No byte gets through.')
    const store = (id: NodeId) => this.#stores.get(id) as ReplicaStore
    if (!(await store(to).hasBlob(blobId)))
      await store(to).receive(blobId, await store(from).openBlob(blobId, 0), { sizeMax: 1e9 })
  }

  #peers(self: NodeId): EventualPeers {
    const there = (id: NodeId) => {
      if (this.silent.has(id)) throw new StoreError('UNAVAILABLE', 'No answer.')
      return this.node(id)
    }
    return {
      ask: async (id, kind, ask) => there(id).answer(kind, ask),
      pushBody: async (id, { blobId }) => {
        there(id)
        await this.#carry(self, id, blobId)
      },
      pullBody: async (_id, _path, { blobId }) => {
        for (const [id, store] of this.#stores)
          if (id !== self && !this.cut.has(`${id}>${self}`) && (await store.hasBlob(blobId)))
            return this.#carry(id, self, blobId)
        throw new StoreError('UNAVAILABLE', 'Nobody can be reached who has the body.')
      },
    }
  }
}
