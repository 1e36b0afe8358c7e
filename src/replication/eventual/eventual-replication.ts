/**
 * Replication with eventual consistency as the layers above see it. A write goes to the head of its range, or to another replica, or, when none
 * of them can be reached, to the next live node, this one at the last; whoever accepts it has it durable before it is answered. A read
 * takes what the first replica has that has anything.
 *
 * Conditions are judged by what the accepting node has. A move is a put and a removal: when something breaks in between, the file is at both paths.
 */
import type { Readable } from 'node:stream'
import { errorCode, StoreError } from '../../errors.ts'
import { type Address, identifierOfPath, type NodeId } from '../../ring/identifier.ts'
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
  type Conflicts,
  conditionFailed,
  type Found,
  type Idempotency,
  type Placement,
  type ReceiveOptions,
  type Replication,
  type Written,
} from '../replication.ts'
import type { Acceptance, Accepted, EventualAsks } from './eventual-calls.ts'
import { fileOf, shownFile } from './eventual-record.ts'
import { Finding, type FindingComponents, isElsewhere, LOOKS_MAX } from './finding.ts'

export interface EventualReplicationComponents extends FindingComponents {
  readonly storage: Storage
  readonly carrier: BodyCarrier
  /** A body was not stored here. */
  readonly refused: (error: unknown) => void
  readonly addressOf: (node: NodeId) => Address | undefined
  readonly list: Replication['list']
  /** Whether versions that stand beside each other are shown. */
  readonly conflicts: () => Conflicts
}

export class EventualReplication implements Replication {
  readonly #components: EventualReplicationComponents
  readonly #self: NodeId
  readonly #copied = new WeakMap<StagedBody, PathName>()
  readonly #finding: Finding

  constructor(components: EventualReplicationComponents) {
    this.#components = components
    this.#self = components.responsibility.self
    this.#finding = new Finding(components)
  }

  /** Who has given a file whose body may lie there alone. */
  giverOf(path: PathName): NodeId | undefined {
    return this.#finding.giverOf(path)
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
    if (change.kind === 'refuse') return this.#doneBefore(change.path, options, change.path)
    const staged = change.kind === 'put' ? change.body : undefined
    try {
      const file = change.kind === 'put' ? { body: bodyOf(change.body), meta: change.meta } : undefined
      const { path, condition } = change
      return await this.#accept({ path, condition, file, request: this.#requestOf(options) }, staged)
    } finally {
      if (staged) await this.#release(staged)
    }
  }

  /** What the change of `path` under this key did. @throws StoreError FILE_NOT_FOUND, for `missing`, where nothing is known of it. */
  async #doneBefore(path: PathName, { idempotency }: ChangeOptions, missing: PathName): Promise<Written> {
    if (idempotency === undefined) throw notFound(missing)
    const { record, visited } = await this.#finding.find(path)
    const request = requestOf(idempotency)
    const outcome = record?.outcomes.find(one => one.request === request)
    if (outcome === undefined) throw notFound(missing)
    const { file, replaced } = outcome
    return { record: file && fileWritten(path, file), replaced, ...this.#placementOf(path, visited) }
  }

  async find(path: PathName): Promise<Found> {
    const { record, visited } = await this.#finding.find(path)
    const others = Math.max(0, (record?.siblings.length ?? 0) - 1)
    const conflicts = this.#components.conflicts() === 'newest' ? 0 : others
    return {
      record: record && shownFile(record),
      ...this.#placementOf(path, visited),
      ...(conflicts > 0 && { conflicts }),
    }
  }

  /** Every version of a path that stands, the one that a read shows first. All replicas that answer are asked. */
  async versions(path: PathName): Promise<readonly FileRecord[]> {
    const record = await this.#finding.gather(path)
    const all = record?.siblings.map(sibling => fileOf(path, sibling)) ?? []
    return this.#components.conflicts() === 'newest' ? all.slice(0, 1) : all
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
    const { record } = await this.#finding.find(from)
    const source = record && shownFile(record)
    if (source === undefined) {
      // The source of a move that is done is gone.
      return this.#doneBefore(path, options, from)
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
    const chain = await this.#finding.reach(path, position)
    await this.#finding.gatherNamed(path, condition)
    const { responsibility } = this.#components
    let fault: unknown
    let looks = 0
    let takers = this.#finding.takers(position)
    for (let node = takers.shift(); node !== undefined; node = takers.shift()) {
      chain.push(node)
      // Who is none any more says who is, as long as this node goes on asking.
      const asReplica = looks < LOOKS_MAX && responsibility.replicasOf(position).includes(node)
      try {
        const accepted = await this.#offer(node, { ...acceptance, asReplica }, staged)
        if (accepted.kind === 'no-body' || accepted.kind === 'unknown') continue
        if (accepted.kind === 'elsewhere') {
          looks++
          await this.#finding.lookUp(path)
          takers = this.#finding.takers(position)
          continue
        }
        if (accepted.kind === 'refused') throw refusal(accepted, condition, path)
        const { file, replaced } = accepted
        const replicas = this.#addresses([node])
        const written = {
          record: file && fileWritten(path, file),
          replaced,
          replicas,
          chain: this.#addresses([...new Set(chain)]),
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

  async #offer(
    node: NodeId,
    acceptance: EventualAsks['accept']['ask'],
    staged: StagedBody | undefined,
  ): Promise<Accepted> {
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
