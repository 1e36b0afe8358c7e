/**
 * Replication with eventual consistency as the layers above see it. A write goes to the head of its range, or to another replica, or, when none
 * of them can be reached, to the next live node, this one at the last; whoever accepts it has it durable before it is answered. A read
 * takes what the first replica has that has anything.
 *
 * Conditions are judged by what the accepting node has. A move is a put and a removal: when something breaks in between, the file is at both paths.
 */
import type { Readable } from 'node:stream'
import type { Env } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import { type Address, type Identifier, identifierOfPath, type NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { wholeRange } from '../../storage/checked-blocks.ts'
import { type Body, etagOf, type FileRecord } from '../../storage/record.ts'
import type {
  ByteRange,
  Listed,
  ListQuery,
  StagedBody,
  Storage,
  StorageStatistics,
} from '../../storage/storage.ts'
import type { TrashName } from '../../storage/trash-name.ts'
import { type BodyCarrier, blobRefOf } from '../chain/body-carrier.ts'
import {
  type Change,
  type ChangeOptions,
  type Condition,
  conditionFailed,
  type Found,
  type Idempotency,
  type Placement,
  type ReceiveOptions,
  type Replication,
  type Written,
} from '../replication.ts'
import type { Acceptance, Accepted, EventualPeers, Responsibility } from './eventual-calls.ts'
import type { EventualNode } from './eventual-node.ts'
import { type EventualRecord, fileOf, merge, shownFile } from './eventual-record.ts'
import { namesOthers } from './eventual-replica.ts'

/** Reads whose files are compared with another replica afterwards, at once; of more the others are not. */
const REPAIRS_MAX = 4

/** Nodes beyond the replicas that a write is offered to, or where a hint is looked for. */
const OTHERS_MAX = 4

/** Who gave files whose large bodies may lie nowhere else yet. */
const GIVERS_MAX = 1_000

export interface EventualReplicationComponents {
  readonly env: Env
  readonly storage: Storage
  readonly node: EventualNode
  readonly peers: EventualPeers
  readonly responsibility: Responsibility
  readonly carrier: BodyCarrier
  /** A body was not stored here. */
  readonly refused: (error: unknown) => void
  /** Finds out who keeps a path when this node does not know. */
  readonly lookup: (path: PathName) => Promise<readonly Address[]>
  readonly addressOf: (node: NodeId) => Address | undefined
  /** Live nodes that follow a position on the ring, those who keep it included. */
  readonly following: (position: Identifier) => readonly NodeId[]
  readonly list: Replication['list']
}

export class EventualReplication implements Replication {
  readonly #components: EventualReplicationComponents
  readonly #self: NodeId
  readonly #copied = new WeakMap<StagedBody, PathName>()
  readonly #givers = new Map<PathName, NodeId>()
  #turn = 0
  #repairs = 0
  #repaired = 0

  constructor(components: EventualReplicationComponents) {
    this.#components = components
    this.#self = components.responsibility.self
  }

  /** Files that a read found to be behind somewhere, since the start. */
  get repaired(): number {
    return this.#repaired
  }

  /** Who has given a file whose body may lie there alone. */
  giverOf(path: PathName): NodeId | undefined {
    return this.#givers.get(path)
  }

  async stage(body: AsyncIterable<Uint8Array>, { path: _, ...options }: ReceiveOptions): Promise<StagedBody> {
    try {
      return await this.#components.storage.stage(body, options)
    } catch (error) {
      this.#components.refused(error)
      throw error
    }
  }

  async stageCopy(record: FileRecord): Promise<StagedBody> {
    const staged = { ...record.body, stageId: '' }
    this.#copied.set(staged, record.path)
    return staged
  }

  async discard(staged: StagedBody): Promise<void> {
    if (staged.stageId !== '') await this.#components.storage.discard(staged)
  }

  async commit(change: Change, options: ChangeOptions = {}): Promise<Written> {
    if (change.kind === 'move') return this.#move(change, options)
    const staged = change.kind === 'put' ? change.body : undefined
    try {
      const file = change.kind === 'put' ? { body: bodyOf(change.body), meta: change.meta } : undefined
      const { path, condition } = change
      return await this.#accept({ path, condition, file, request: this.#requestOf(options) }, staged)
    } finally {
      if (staged) await this.#release(staged)
    }
  }

  async kept(path: PathName, idempotency: Idempotency): Promise<Written | undefined> {
    const { record, visited } = await this.#find(path)
    const request = requestOf(idempotency)
    const outcome = record?.outcomes.find(one => one.request === request)
    if (outcome === undefined) return undefined
    const { file, replaced } = outcome
    return { record: file && fileWritten(path, file), replaced, ...this.#placementOf(path, visited) }
  }

  async find(path: PathName): Promise<Found> {
    const { record, visited } = await this.#find(path)
    const conflicts = Math.max(0, (record?.siblings.length ?? 0) - 1)
    return {
      record: record && shownFile(record),
      ...this.#placementOf(path, visited),
      ...(conflicts > 0 && { conflicts }),
    }
  }

  /** Every version of a path that stands, the one that a read shows first. All replicas that answer are asked. */
  async versions(path: PathName): Promise<readonly FileRecord[]> {
    const record = await this.#gather(path)
    return record?.siblings.map(sibling => fileOf(path, sibling)) ?? []
  }

  async trash(): Promise<readonly TrashName[]> {
    throw noTrash()
  }

  async forget(): Promise<void> {
    throw noTrash()
  }

  async read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable> {
    const { storage, node, carrier } = this.#components
    const { content } = record.body
    if ('inline' in content) return storage.read(record, range)
    const isHere = node.replica.table.hasBody(content.blobId)
    const elsewhere = (sawBadBlock: boolean) =>
      carrier.readElsewhere(record, content.blobId, wholeRange(record, range), sawBadBlock)
    if (!isHere) return elsewhere(false)
    try {
      return await storage.read(record, range)
    } catch (error) {
      if (errorCode(error) !== 'CORRUPT') throw error
      return elsewhere(true)
    }
  }

  list(query: ListQuery): Promise<readonly Listed[]> {
    return this.#components.list(query)
  }

  statistics(): StorageStatistics {
    return this.#components.storage.statistics()
  }

  /**
   * The copy first, then the source goes, in exactly the version that was copied: what somebody else has written there meanwhile stays.
   * @throws StoreError as `commit`; INDETERMINATE when the file is at both paths.
   */
  async #move(
    { from, path, condition }: Change & { kind: 'move' },
    options: ChangeOptions,
  ): Promise<Written> {
    if (from === path)
      throw new StoreError('INVALID_REQUEST', 'Source and destination are the same path.', { path })
    const { record } = await this.#find(from)
    const source = record && shownFile(record)
    if (source === undefined) {
      // The source of a move that is done is gone.
      const done = options.idempotency && (await this.kept(path, options.idempotency))
      if (done !== undefined) return done
      throw notFound(from)
    }
    const staged = await this.stageCopy(source)
    const file = { body: bodyOf(staged), meta: source.meta }
    const request = this.#requestOf(options)
    const moved = await this.#accept({ path, condition, file, request }, staged)
    try {
      const named = { etags: [etagOf(source)] }
      await this.#accept(
        { path: from, condition: named, file: undefined, request: `move-${request}` },
        undefined,
      )
    } catch (error) {
      const code = errorCode(error)
      // Somebody has replaced or removed it meanwhile: then this version is gone from there.
      if (code === 'PRECONDITION_FAILED' || code === 'FILE_NOT_FOUND') return moved
      if (code === undefined) throw error
      const message = 'The file is at its new path, and perhaps still at the old one.'
      throw new StoreError('INDETERMINATE', message, { path: from, cause: error })
    }
    return moved
  }

  /** Offers a change to those who may take it, one after the other. */
  async #accept(acceptance: Acceptance, staged: StagedBody | undefined): Promise<Written> {
    const { path, condition } = acceptance
    const position = identifierOfPath(path)
    const chain = await this.#reach(path, position)
    await this.#gatherNamed(path, condition)
    let fault: unknown
    for (const node of this.#takers(position)) {
      chain.push(node)
      try {
        const accepted = await this.#offer(node, acceptance, staged)
        if (accepted.kind === 'no-body') continue
        if (accepted.kind === 'refused') throw refusal(accepted, condition, path)
        const { file, replaced } = accepted
        const replicas = this.#addresses([node])
        const written = {
          record: file && fileWritten(path, file),
          replaced,
          replicas,
          chain: this.#addresses(chain),
        }
        return condition === 'none' ? written : { ...written, conditional: 'local' }
      } catch (error) {
        if (!isElsewhere(error)) throw error
        fault = error
      }
    }
    const message = 'No node that can be reached has taken the write.'
    throw new StoreError('UNAVAILABLE', message, { path, cause: fault })
  }

  async #offer(node: NodeId, acceptance: Acceptance, staged: StagedBody | undefined): Promise<Accepted> {
    const { carrier, peers, node: own } = this.#components
    const blob = staged && blobRefOf(staged)
    const from = staged && this.#copied.get(staged)
    if (node === this.#self) {
      if (blob !== undefined) await carrier.fetch(blob, from)
      return own.answer('accept', acceptance)
    }
    if (blob !== undefined) await carrier.push(node, blob, from)
    return peers.ask(node, 'accept', acceptance)
  }

  /** The replicas, the head first and those who do not answer last; then the nodes that follow; this one in any case. */
  #takers(position: Identifier): NodeId[] {
    const { responsibility, following } = this.#components
    const replicas = responsibility.replicasOf(position)
    const isThere = (node: NodeId) => node === this.#self || responsibility.isAlive(node)
    const others = following(position).filter(node => !replicas.includes(node))
    return [
      ...new Set([
        ...replicas.filter(isThere),
        ...others.filter(isThere).slice(0, OTHERS_MAX),
        this.#self,
        ...replicas,
      ]),
    ]
  }

  /** Versions that a change names shall be known where it is accepted, wherever the client has seen them. */
  async #gatherNamed(path: PathName, condition: Condition): Promise<void> {
    if (typeof condition === 'string') return
    const { peers, node, responsibility } = this.#components
    const position = identifierOfPath(path)
    const gathered = await this.#gather(path)
    const [head] = this.#takers(position)
    if (gathered === undefined || head === undefined) return
    if (head === this.#self) {
      const own = node.replica.fetch(path)
      if (own === undefined || namesOthers(own, condition)) await this.#give(gathered)
    } else if (responsibility.isAlive(head)) {
      const { record } = await peers.ask(head, 'fetch', { path }).catch(silence)
      if (record !== undefined && !namesOthers(record, condition)) return
      await this.#give(gathered)
      await peers.ask(head, 'take', { records: [gathered], memory: node.replica.memory }).catch(silence)
    }
  }

  /** Takes in here what was gathered, as somebody who keeps the path or hands it over. */
  async #give(record: EventualRecord): Promise<void> {
    const { node, responsibility } = this.#components
    if (!responsibility.replicasOf(record.position).includes(this.#self)) return
    await node.syncing.takeIn(this.#giverNear(record), record, node.replica.memory).catch(silence)
  }

  #giverNear({ path, position }: EventualRecord): NodeId {
    return this.#givers.get(path) ?? this.#components.responsibility.replicasOf(position)[0] ?? this.#self
  }

  /** What all who can be reached have of a path, together. */
  async #gather(path: PathName): Promise<EventualRecord | undefined> {
    const { peers, node } = this.#components
    const position = identifierOfPath(path)
    await this.#reach(path, position)
    let all = node.replica.fetch(path)
    const asked = this.#takers(position).filter(one => one !== this.#self)
    const answers = await Promise.all(
      asked.map(async one => [one, (await peers.ask(one, 'fetch', { path }).catch(silence)).record] as const),
    )
    for (const [one, record] of answers) {
      if (record === undefined) continue
      this.#gave(path, one)
      all = all === undefined ? record : merge(all, record)
    }
    return all
  }

  async #find(path: PathName): Promise<{ record: EventualRecord | undefined; visited: NodeId[] }> {
    const { node, peers, responsibility } = this.#components
    const position = identifierOfPath(path)
    const here = node.replica.fetch(path)
    // Who has just come back asks others first.
    if (here !== undefined && !node.syncing.isBehind(position)) {
      this.#repairLater(path, position)
      return { record: here, visited: [] }
    }
    const visited = await this.#reach(path, position)
    const replicas = responsibility.replicasOf(position)
    let answered = replicas.includes(this.#self)
    let fault: unknown
    for (const one of this.#givable(position)) {
      visited.push(one)
      try {
        const asked = node.replica.memory
        const { record } = await peers.ask(one, 'fetch', { path })
        if (replicas.includes(one)) answered = true
        if (record === undefined) continue
        this.#gave(path, one)
        // A replica that had nothing has it from now on.
        if (replicas.includes(this.#self)) void node.syncing.takeIn(one, record, asked).catch(silence)
        return { record: here === undefined ? record : merge(here, record), visited }
      } catch (error) {
        if (!isElsewhere(error)) throw error
        fault = error
      }
    }
    if (answered || here !== undefined) return { record: here, visited }
    const message = 'No node that keeps the file can be reached.'
    throw new StoreError('UNAVAILABLE', message, { path, cause: fault })
  }

  /** Who is asked for a path, the replicas by turns. */
  #givable(position: Identifier): NodeId[] {
    const { responsibility } = this.#components
    const takers = this.#takers(position).filter(node => node !== this.#self)
    const replicas = responsibility.replicasOf(position)
    const alive = takers.filter(node => replicas.includes(node) && responsibility.isAlive(node))
    const at = alive.length === 0 ? 0 : this.#turn++ % alive.length
    return [...new Set([...alive.slice(at), ...alive.slice(0, at), ...takers])]
  }

  /** After an answer has left: whether another replica has the same. */
  #repairLater(path: PathName, position: Identifier): void {
    const { env, node, responsibility } = this.#components
    if (this.#repairs >= REPAIRS_MAX) return
    const others = responsibility
      .replicasOf(position)
      .filter(one => one !== this.#self && responsibility.isAlive(one))
    if (others.length === 0 || !responsibility.replicasOf(position).includes(this.#self)) return
    this.#repairs++
    const other = others[this.#turn++ % others.length] as NodeId
    const before = node.syncing.counts.merged
    const compare = async () => {
      try {
        await node.syncing.compareOne(other, path)
      } catch (error) {
        if (errorCode(error) === undefined) throw error
      } finally {
        this.#repairs--
        if (node.syncing.counts.merged !== before) this.#repaired++
      }
    }
    env.timers.soon(() => void compare())
  }

  /** Learns who keeps a path when nobody here knows; gives whom it asked. */
  async #reach(path: PathName, position: Identifier): Promise<NodeId[]> {
    const { responsibility, lookup } = this.#components
    if (responsibility.replicasOf(position).length === 0) await lookup(path).catch(silence)
    return [this.#self]
  }

  #gave(path: PathName, node: NodeId): void {
    this.#givers.delete(path)
    if (this.#givers.size >= GIVERS_MAX) {
      const oldest = this.#givers.keys().next().value
      if (oldest !== undefined) this.#givers.delete(oldest)
    }
    this.#givers.set(path, node)
  }

  #placementOf(path: PathName, visited: readonly NodeId[]): Placement {
    const replicas = this.#components.responsibility.replicasOf(identifierOfPath(path))
    const chain = visited.length > 0 ? visited : [this.#self]
    return { chain: this.#addresses([...new Set(chain)]), replicas: this.#addresses(replicas) }
  }

  #addresses(nodes: readonly NodeId[]): Address[] {
    const known = [...new Set(nodes)].map(node => this.#components.addressOf(node))
    return known.filter(address => address !== undefined)
  }

  #requestOf({ idempotency }: ChangeOptions): string {
    if (idempotency !== undefined) return requestOf(idempotency)
    return Buffer.from(this.#components.env.randomness.bytes(12)).toString('base64url')
  }

  async #release(staged: StagedBody): Promise<void> {
    const { storage, node } = this.#components
    if (staged.stageId === '') return
    const isKept = 'blobId' in staged.content && node.replica.table.hasBody(staged.content.blobId)
    if (isKept) storage.handOver(staged)
    else await storage.discard(staged)
  }
}

function requestOf({ key, fingerprint }: Idempotency): string {
  return `${Buffer.from(key).toString('base64url')} ${fingerprint}`
}

function bodyOf({ size, sha256, blockChecksums, content }: Body): Body {
  return { size, sha256, blockChecksums, content }
}

function fileWritten(
  path: PathName,
  { version, size, sha256 }: NonNullable<(Accepted & { kind: 'done' })['file']>,
): NonNullable<Written['record']> {
  return { path, version, body: { size, sha256 } }
}

/** Whether another node may do what this one could not. */
function isElsewhere(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'UNAVAILABLE' || code === 'DISK_FULL' || code === 'OVERLOADED' || code === 'CORRUPT'
}

function silence(error: unknown): { readonly record?: EventualRecord } {
  if (errorCode(error) === undefined) throw error
  return {}
}

function notFound(path: PathName): StoreError {
  return new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path })
}

function refusal(
  { because }: Accepted & { kind: 'refused' },
  condition: Condition,
  path: PathName,
): StoreError {
  if (because === 'condition') return conditionFailed(condition, path)
  const message = 'This Idempotency-Key was used for a different request.'
  return new StoreError('IDEMPOTENCY_KEY_REUSED', message, { path })
}

function noTrash(): StoreError {
  const message = 'A network with eventual consistency keeps no trash: what was removed is gone.'
  return new StoreError('INVALID_REQUEST', message)
}
