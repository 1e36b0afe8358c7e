/**
 * Owns replication by chains as the layers above see it: it turns changes and reads into requests to the machine, puts
 * large bodies where the machine will want them, and turns outcomes into records and errors.
 */
import { Readable } from 'node:stream'
import type { Env } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import { type Address, identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { checkedBlocks, wholeRange } from '../../storage/checked-blocks.ts'
import type { FileRecord } from '../../storage/record.ts'
import type {
  ByteRange,
  Change,
  Committed,
  Condition,
  ListEntry,
  StagedBody,
  StageOptions,
  Storage,
  StorageStatistics,
} from '../../storage/storage.ts'
import { OUTCOME_KEPT_MS } from '../../storage/storage.ts'
import { headOf, type NodeId, type View } from '../../views/view.ts'
import type { ChangeOptions, Found, Placement, Replication } from '../replication.ts'
import { type BodyCarrier, blobRefOf } from './body-carrier.ts'
import type { ChainDriver } from './driver.ts'
import type { Outcome } from './machine-state.ts'
import { fileOf } from './record-notes.ts'
import type { ClientRequest } from './requests.ts'

export interface ChainReplicationComponents {
  readonly env: Env
  readonly storage: Storage
  readonly driver: ChainDriver
  readonly carrier: BodyCarrier
  /** Finds the view that covers a key by a lookup; undefined when nobody who can be reached knows. */
  readonly lookup: (path: PathName) => Promise<readonly Address[]>
  readonly addressOf: (node: NodeId) => Address | undefined
  readonly list: Replication['list']
}

export class ChainReplication implements Replication {
  readonly #components: ChainReplicationComponents
  readonly #self: NodeId

  constructor(components: ChainReplicationComponents, init: { readonly self: NodeId }) {
    this.#components = components
    this.#self = init.self
  }

  stage(body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedBody> {
    return this.#components.storage.stage(body, options)
  }

  async stageCopy(record: FileRecord): Promise<StagedBody> {
    // The same immutable body under another path: whoever has it need not get it again.
    return { ...record.body, stageId: '' }
  }

  async discard(staged: StagedBody): Promise<void> {
    if (staged.stageId !== '') await this.#components.storage.discard(staged)
  }

  async commit(change: Change, options: ChangeOptions = {}): Promise<Committed & Placement> {
    const staged = change.kind === 'put' ? change.body : undefined
    try {
      const visited = await this.#reach(change.path)
      if (staged) await this.#distribute(change.path, staged)
      const request = this.#requestOf(change, options)
      const previous = await this.#previous(change)
      const outcome = await this.#components.driver.request(request)
      const version = versionOf(outcome, change)
      const record = await this.#recordAfter(change, request, version)
      return { record, previous, ...this.#placement(change.path, visited) }
    } finally {
      if (staged) await this.#release(staged)
    }
  }

  async find(path: PathName): Promise<Found> {
    const here = this.#components.driver.readAtOnce(path)
    if (here !== undefined) return { record: fileOf(here), ...this.#placement(path, []) }
    const visited = await this.#reach(path)
    const outcome = await this.#components.driver.request({ kind: 'get', path })
    if (outcome.kind !== 'value') throw unavailable(path)
    return { record: fileOf(outcome.record), ...this.#placement(path, visited) }
  }

  async read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable> {
    const { storage, driver, carrier } = this.#components
    const { content } = record.body
    if ('inline' in content) return storage.read(record, range)
    let sawBadBlock = false
    if (driver.machine.blobs.has(content.blobId)) {
      try {
        return await storage.read(record, range)
      } catch (error) {
        // Another replica has good bytes, perhaps; this one gets them from there.
        if (errorCode(error) !== 'CORRUPT') throw error
        sawBadBlock = true
        driver.dispatch({ kind: 'body-lost', blobId: content.blobId })
      }
    }
    const wanted = wholeRange(record, range)
    const blocks = carrier.remoteBlocks(record, content.blobId, wanted, sawBadBlock)
    const chunks = checkedBlocks(record, wanted, (index, length) => blocks.read(index, length))
    return firstThenRest(chunks, () => blocks.close())
  }

  list(prefix: string, after: string | undefined, limit: number): Promise<readonly ListEntry[]> {
    return this.#components.list(prefix, after, limit)
  }

  statistics(): StorageStatistics {
    return this.#components.storage.statistics()
  }

  /** Learns who answers for a path, unless that is known; gives the nodes that were asked. */
  async #reach(path: PathName): Promise<readonly Address[]> {
    return this.#covering(path) === undefined ? this.#components.lookup(path) : []
  }

  #covering(path: PathName): View | undefined {
    return this.#components.driver.machine.table.covering(identifierOfPath(path))
  }

  #placement(path: PathName, visited: readonly Address[]): Placement {
    const view = this.#covering(path)
    const addresses = (nodes: readonly NodeId[]) =>
      nodes.map(node => this.#components.addressOf(node)).filter(address => address !== undefined)
    const replicas = addresses(view?.replicas ?? [])
    const own = addresses([this.#self])
    if (visited.length > 0) return { chain: visited, replicas }
    const answering =
      view === undefined || view.replicas.includes(this.#self) ? [] : addresses([headOf(view)])
    return { chain: [...own, ...answering], replicas }
  }

  /** Sends a large body to every replica before the write names it, to all of them at once. */
  async #distribute(path: PathName, staged: StagedBody): Promise<void> {
    const blob = blobRefOf(staged)
    const view = this.#covering(path)
    if (blob === undefined || view === undefined) return
    const others = view.replicas.filter(node => node !== this.#self)
    // One that can't be reached is the machine's to notice, and to replace.
    await Promise.allSettled(others.map(node => this.#components.carrier.push(node, blob)))
  }

  #requestOf(change: Change, { idempotency }: ChangeOptions): ClientRequest {
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
        const { path, meta } = change
        return { kind: 'put', path, body, meta, writtenAtMs: nowMs, condition, ...key }
      }
      case 'remove':
        return { kind: 'remove', path: change.path, condition, ...key }
      case 'move':
        return { kind: 'move', from: change.from, to: change.path, condition }
    }
  }

  /** What stood at the path, where the answer says whether something was replaced. */
  async #previous(change: Change): Promise<FileRecord | undefined> {
    if (change.condition === 'absent') return undefined
    const outcome = await this.#components.driver.request({ kind: 'get', path: change.path })
    return outcome.kind === 'value' ? fileOf(outcome.record) : undefined
  }

  async #recordAfter(
    change: Change,
    request: ClientRequest,
    version: FileRecord['version'],
  ): Promise<FileRecord | undefined> {
    if (change.kind === 'remove') return undefined
    if (request.kind === 'put') {
      const { path, body, meta, writtenAtMs } = request
      return { path, version, body, meta, writtenAtMs }
    }
    const outcome = await this.#components.driver.request({ kind: 'get', path: change.path })
    return outcome.kind === 'value' ? fileOf(outcome.record) : undefined
  }

  /** The staging's own copy of a body goes, unless the machine keeps it. */
  async #release(staged: StagedBody): Promise<void> {
    const { storage, driver } = this.#components
    if (staged.stageId === '') return
    const kept = 'blobId' in staged.content && driver.machine.blobs.has(staged.content.blobId)
    if (kept) storage.handOver(staged)
    else await storage.discard(staged)
  }
}

function versionOf(outcome: Outcome, change: Change): FileRecord['version'] {
  if (outcome.kind === 'done') return outcome.version
  if (outcome.kind === 'failed') throw refusal(outcome.reason, change)
  if (outcome.kind === 'unavailable') throw unavailable(change.path)
  const message = 'It is not known whether the write happened; read the file to find out.'
  throw new StoreError('INDETERMINATE', message, { path: change.path })
}

function refusal(reason: (Outcome & { kind: 'failed' })['reason'], change: Change): StoreError {
  const { path } = change
  switch (reason) {
    case 'condition':
      return conditionFailed(change.condition, path)
    case 'no-source': {
      const source = change.kind === 'move' ? change.from : path
      return new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path: source })
    }
    case 'conflict':
      return new StoreError('FILE_EXISTS', 'Another write reached the destination first.', { path })
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

function conditionFailed(condition: Condition, path: PathName): StoreError {
  if (condition === 'absent') return new StoreError('FILE_EXISTS', 'A file has this path already.', { path })
  if (condition === 'exists' || condition === 'none') {
    return new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path })
  }
  return new StoreError('PRECONDITION_FAILED', 'The file is not in a version that If-Match names.', { path })
}

function unavailable(path: PathName): StoreError {
  return new StoreError('UNAVAILABLE', 'Too few nodes that keep this path can be reached.', { path })
}

/** A stream of chunks whose first one is there already, so that a bad one is still an error and no cut-off reply. */
async function firstThenRest(chunks: AsyncGenerator<Uint8Array>, end: () => void): Promise<Readable> {
  const first = await chunks.next()
  async function* all() {
    try {
      if (!first.done) yield first.value
      yield* chunks
    } finally {
      end()
    }
  }
  return Readable.from(all(), { objectMode: false })
}
