/**
 * Replication by chains as the layers above see it: it turns changes and reads into requests to the machine, puts
 * large bodies where the machine will want them, and turns outcomes into records and errors.
 */
import type { Readable } from 'node:stream'
import type { Env } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { Address, Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { wholeRange } from '../../storage/checked-blocks.ts'
import type { BlobId, FileRecord } from '../../storage/record.ts'
import type {
  ByteRange,
  GrowingBody,
  Listed,
  ListQuery,
  StagedBody,
  Storage,
  StorageStatistics,
} from '../../storage/storage.ts'
import type { TrashName } from '../../storage/trash-name.ts'
import { streamOver } from '../../stream-over.ts'
import { headOf, type NodeId, type View } from '../../views/view.ts'
import type { WholeBody } from '../../whole-body.ts'
import type { ClientRequest } from '../entry/requests.ts'
import {
  type Change,
  type ChangeOptions,
  conditionFailed,
  type Found,
  type Idempotency,
  OUTCOME_KEPT_MS,
  type Placement,
  type ReceiveOptions,
  type Replication,
  type Written,
} from '../replication.ts'
import { type BodyCarrier, blobRefOf } from './body-carrier.ts'
import { distribute } from './body-distribution.ts'
import type { ChainDriver } from './driver.ts'
import type { LostRanges } from './lost-ranges.ts'
import type { Outcome } from './machine-state.ts'
import { keptOutcome } from './outcomes.ts'
import { fileOf } from './record-notes.ts'

/** What the head says of a key itself. */
const KEY_ERRORS: ReadonlySet<string | undefined> = new Set(['IDEMPOTENCY_KEY_REUSED', 'OVERLOADED'])

export interface ChainReplicationComponents {
  readonly env: Env
  readonly storage: Storage
  readonly driver: ChainDriver
  readonly carrier: BodyCarrier
  readonly lost: LostRanges
  /** A body was not stored here. */
  readonly refused: (error: unknown) => void
  /** Finds the view that covers a key by a lookup; undefined when nobody who can be reached knows. */
  readonly lookup: (path: PathName) => Promise<readonly Address[]>
  readonly addressOf: (node: NodeId) => Address | undefined
  readonly list: Replication['list']
}

export class ChainReplication implements Replication {
  readonly #components: ChainReplicationComponents
  readonly #self: NodeId
  /** Where the bodies of copies lie. */
  readonly #copied = new WeakMap<StagedBody, PathName>()

  constructor(components: ChainReplicationComponents, init: { readonly self: NodeId }) {
    this.#components = components
    this.#self = init.self
  }

  async stage(body: AsyncIterable<Uint8Array>, { path, ...options }: ReceiveOptions): Promise<StagedBody> {
    const { storage, refused } = this.#components
    const onGrowing = (growing: GrowingBody) => this.#sendAhead(path, growing)
    try {
      return await storage.stage(body, { ...options, onGrowing })
    } catch (error) {
      refused(error)
      throw error
    }
  }

  stageAtOnce(body: WholeBody, { sizeMax }: Pick<ReceiveOptions, 'sizeMax'>): StagedBody | undefined {
    return this.#components.storage.stageAtOnce?.(body, { sizeMax })
  }

  /** While a large body comes in here it goes on to those who will have to have it, as far as that is known. */
  #sendAhead(path: PathName | undefined, body: GrowingBody): void {
    const { driver, carrier } = this.#components
    const replicas = (path && this.#covering(this.#components.driver.positionOf(path))?.replicas) ?? []
    const others = replicas.filter(node => node !== this.#self && driver.known.isAlive(node))
    void carrier.sendAhead(body, others)
  }

  async stageCopy(record: FileRecord): Promise<StagedBody> {
    // The same immutable body under another path: whoever has it need not get it again.
    const staged = { ...record.body, stageId: '' }
    this.#copied.set(staged, record.path)
    return staged
  }

  async discard(staged: StagedBody): Promise<void> {
    if (staged.stageId !== '') await this.#components.storage.discard(staged)
  }

  async commit(change: Change, options: ChangeOptions = {}): Promise<Written> {
    const staged = change.kind === 'put' ? change.body : undefined
    try {
      const { idempotency } = options
      // Without a key there is no earlier try to keep from being made.
      if (idempotency === undefined && change.kind === 'refuse') throw failure('no-source', change)
      if (idempotency === undefined) return await this.#commit(change, options)
      try {
        const done = await this.#commit(change, options)
        // Of several requests under one key one was made; all of them answer what it did.
        const kept = await this.#kept(change.path, idempotency).catch(() => undefined)
        // The change that was to be refused has been made, and only that can say what it did.
        if (kept === undefined && change.kind === 'refuse') throw indeterminate(change.path)
        return kept ?? done
      } catch (error) {
        if (KEY_ERRORS.has(errorCode(error))) throw error
        const after = await this.#kept(change.path, idempotency).catch(() => 'unknown' as const)
        if (after !== undefined && after !== 'unknown') return after
        // Another request under the key may have done what this one was refused for.
        if (after === 'unknown' && errorCode(error) !== 'UNAVAILABLE') throw indeterminate(change.path, error)
        throw error
      }
    } finally {
      const releasing = staged && this.#release(staged)
      if (releasing) await releasing
    }
  }

  /** What this change of the path did under its key, as long as that is remembered: 24 hours at least. @throws StoreError UNAVAILABLE. */
  async #kept(path: PathName, { key, fingerprint }: Idempotency): Promise<Written | undefined> {
    const position = this.#components.driver.positionOf(path)
    const visited = await this.#reach(path, position)
    const outcome = await this.#components.lost.request({ kind: 'get', path, position })
    if (outcome.kind !== 'value') throw this.#components.lost.refusal(path)
    const known = keptOutcome(outcome.record, key)
    // The commit tells a refusal again, and whether a key that stands for something else still counts.
    if (known === undefined || known.fingerprint !== fingerprint || known.refused) return undefined
    const { file, version, replaced } = known
    return {
      record: file && { path, version, body: file },
      replaced,
      ...this.#placementAt(position, visited),
    }
  }

  findAtOnce(path: PathName): Found | undefined {
    const position = this.#components.driver.positionOf(path)
    const here = this.#components.driver.readAtOnce(path, position)
    return here && { record: fileOf(here), ...this.#placementAt(position, []) }
  }

  async find(path: PathName): Promise<Found> {
    const here = this.findAtOnce(path)
    if (here !== undefined) return here
    const position = this.#components.driver.positionOf(path)
    const visited = await this.#reach(path, position)
    const outcome = await this.#components.lost.request({ kind: 'get', path, position })
    if (outcome.kind !== 'value') throw this.#components.lost.refusal(path)
    return { record: fileOf(outcome.record), ...this.#placementAt(position, visited) }
  }

  async trash(path: PathName): Promise<readonly TrashName[]> {
    const position = this.#components.driver.positionOf(path)
    await this.#reach(path, position)
    const outcome = await this.#components.lost.request({ kind: 'get', path, position })
    if (outcome.kind !== 'value') throw this.#components.lost.refusal(path)
    return outcome.record.trash ?? []
  }

  async forget(path: PathName, names: readonly TrashName[], agedMs?: number): Promise<void> {
    const position = this.#components.driver.positionOf(path)
    await this.#reach(path, position)
    const aged = agedMs === undefined ? {} : { agedMs }
    const outcome = await this.#components.lost.request({ kind: 'forget', path, position, names, ...aged })
    if (outcome.kind === 'unavailable') throw this.#components.lost.refusal(path)
    if (outcome.kind !== 'done') throw indeterminate(path)
  }

  async read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable> {
    const { storage, driver } = this.#components
    const { content } = record.body
    if ('inline' in content) return storage.read(record, range)
    const wanted = wholeRange(record, range)
    if (!driver.kept.hasBody(content.blobId)) {
      return this.#readElsewhere(record, content.blobId, wanted, false)
    }
    try {
      const here = await storage.read(record, range)
      return here instanceof Uint8Array ? here : this.#orElsewhere(record, content.blobId, wanted, here)
    } catch (error) {
      if (errorCode(error) !== 'CORRUPT') throw error
      return this.#readElsewhere(record, content.blobId, wanted, true)
    }
  }

  /** The bytes from here, and from the first bad block on those of another replica. */
  #orElsewhere(record: FileRecord, blobId: BlobId, { first, last }: ByteRange, here: Readable): Readable {
    const readElsewhere = (range: ByteRange) => this.#readElsewhere(record, blobId, range, true)
    async function* all() {
      let next = first
      try {
        for await (const chunk of here as AsyncIterable<Uint8Array>) {
          next += chunk.length
          yield chunk
        }
        return
      } catch (error) {
        if (errorCode(error) !== 'CORRUPT') throw error
      }
      yield* await readElsewhere({ first: next, last })
    }
    // What waits, waits in the stream below, which knows how much may.
    return streamOver(here, all())
  }

  /**
   * The bytes of other replicas. When the body here is bad and there is a better one, the machine gets that; until then
   * the bad one stays: it may be the only one, and most of its blocks may be good.
   */
  async #readElsewhere(
    record: FileRecord,
    blobId: BlobId,
    range: ByteRange,
    sawBadBlock: boolean,
  ): Promise<Readable> {
    const { carrier, driver } = this.#components
    const stream = await carrier.readElsewhere(record, blobId, range, sawBadBlock)
    if (sawBadBlock) driver.dispatch({ kind: 'body-lost', blobId })
    return stream
  }

  list(query: ListQuery): Promise<readonly Listed[]> {
    return this.#components.list(query)
  }

  statistics(): StorageStatistics {
    return this.#components.storage.statistics()
  }

  async #commit(change: Change, options: ChangeOptions): Promise<Written> {
    const position = this.#components.driver.positionOf(change.path)
    const visited = this.#covering(position) === undefined ? await this.#reach(change.path, position) : []
    const blob = change.kind === 'put' ? blobRefOf(change.body) : undefined
    if (change.kind === 'put' && blob !== undefined)
      await distribute(this.#components, blob, position, this.#copied.get(change.body)).catch(error => {
        throw isUpload(change) && errorCode(error) === 'FILE_NOT_FOUND' ? bytesGone(change, error) : error
      })
    const request = this.#requestOf(change, position, options)
    const outcome = await this.#components.lost.request(request)
    if (outcome.kind === 'unavailable') throw this.#components.lost.refusal(change.path)
    const done = doneOr(outcome, change)
    const { version, replaced = change.condition !== 'absent' } = done
    const body = request.kind === 'put' ? request.body : done.file
    const record = body && { path: change.path, version, body }
    return { record, replaced, ...this.#placementAt(position, visited) }
  }

  /** Learns who answers for a path, unless that is known; gives the nodes that were asked. */
  async #reach(path: PathName, position: Identifier): Promise<readonly Address[]> {
    return this.#covering(position) === undefined ? this.#components.lookup(path) : []
  }

  #covering(position: Identifier): View | undefined {
    return this.#components.driver.known.covering(position)
  }

  #placementAt(position: Identifier, visited: readonly Address[]): Placement {
    const { driver } = this.#components
    const view = driver.known.covering(position)
    if (view === undefined)
      return { chain: visited.length > 0 ? visited : this.#addresses([this.#self]), replicas: [] }
    const replicas = this.#addresses(view.replicas)
    if (visited.length > 0) return { chain: visited, replicas }
    const isHere = view.replicas.includes(this.#self)
    return { chain: this.#addresses(isHere ? [this.#self] : [this.#self, headOf(view)]), replicas }
  }

  #addresses(nodes: readonly NodeId[]): Address[] {
    const addresses: Address[] = []
    for (const node of nodes) {
      const address = this.#components.addressOf(node)
      if (address !== undefined) addresses.push(address)
    }
    return addresses
  }

  #requestOf(change: Change, position: Identifier, { idempotency }: ChangeOptions): ClientRequest {
    const nowMs = this.#components.env.clock.nowMs()
    const key = idempotency && {
      key: {
        key: idempotency.key,
        fingerprint: idempotency.fingerprint,
        expiresAtMs: nowMs + OUTCOME_KEPT_MS,
      },
    }
    const { condition } = change
    switch (change.kind) {
      case 'put': {
        const { size, sha256, blockChecksums, content } = change.body
        const body = { size, sha256, blockChecksums, content }
        const { path, meta, restores } = change
        const what = { body, meta, writtenAtMs: nowMs, ...(restores !== undefined && { restores }) }
        return { kind: 'put', path, position, ...what, condition, ...key }
      }
      case 'remove':
        return { kind: 'remove', path: change.path, position, condition, ...key }
      case 'refuse':
        return { kind: 'refuse', path: change.path, position, ...key }
      case 'move':
        return { kind: 'move', from: change.from, to: change.path, condition, ...key }
    }
  }

  /** The staging's own copy of a body goes, unless the machine keeps it. */
  #release(staged: StagedBody): Promise<void> | undefined {
    const { storage, driver } = this.#components
    if (staged.stageId === '') return undefined
    const { content } = staged
    const isKept = 'blobId' in content && driver.kept.hasBody(content.blobId)
    const releasing = isKept ? storage.handOver(staged) : storage.discard(staged)
    // Of a small body there is nothing on the disk.
    return 'blobId' in content ? (releasing ?? undefined) : undefined
  }
}

/** What was done. @throws StoreError when it was not. */
function doneOr(outcome: Outcome, change: Change): Outcome & { kind: 'done' } {
  if (outcome.kind === 'done') return outcome
  if (outcome.kind === 'failed') throw failure(outcome.reason, change)
  throw indeterminate(change.path)
}

function indeterminate(path: PathName, cause?: unknown): StoreError {
  const message = 'It is not known whether the write happened; read the file to find out.'
  return new StoreError('INDETERMINATE', message, { path, cause })
}

type Reason = (Outcome & { kind: 'failed' })['reason']

function failure(reason: Reason, change: Change): StoreError {
  const { path } = change
  if (reason === 'condition') return conditionFailed(change.condition, path)
  if (reason === 'no-body') return isUpload(change) ? bytesGone(change) : refusal('no-source', path)
  return refusal(reason, reason === 'no-source' && change.kind === 'move' ? change.from : path)
}

/** A copy has the bytes of its source; those of an upload are nowhere else until it is written. */
function isUpload(change: Change): boolean {
  return change.kind === 'put' && change.body.stageId !== ''
}

function bytesGone({ path }: Change, cause?: unknown): StoreError {
  const message = 'The bytes went before the file was stored; send them again.'
  return new StoreError('UNAVAILABLE', message, { path, cause })
}

function refusal(reason: Exclude<Reason, 'condition' | 'no-body'>, path: PathName): StoreError {
  switch (reason) {
    case 'no-source':
      return new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path })
    case 'key-reused':
      return new StoreError(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key was used for a different request.',
        { path },
      )
    case 'too-many-keys':
      return new StoreError('OVERLOADED', 'Too many Idempotency-Keys are kept for this path.', { path })
  }
}
