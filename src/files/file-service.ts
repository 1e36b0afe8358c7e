/**
 * The store as users mean it: put, get, copy, move, remove and list by path, with receipts and conditions.
 * It stands on replication, on a single node too, which is a network of one.
 */
import type { Readable } from 'node:stream'
import type { Clock } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type {
  Change,
  Condition,
  Consistency,
  Found,
  ReceiveOptions,
  Replication,
  Written,
} from '../replication/replication.ts'
import type { PathName } from '../ring/path-name.ts'
import { checkedInline, wholeRange } from '../storage/checked-blocks.ts'
import { type ETag, etagOf, type FileMeta, type FileRecord } from '../storage/record.ts'
import type { ByteRange, ListEntry, StagedBody, Storage, StorageStatistics } from '../storage/storage.ts'
import { WholeBody } from '../whole-body.ts'
import { type KeyedRequest, keyedRequest, refuseMissing } from './idempotency.ts'
import { type ListQuery, type ListSource, listBatches } from './listing.ts'
import type { Keeping } from './receipt.ts'
import { refuseReserved, withoutReserved } from './reserved-paths.ts'
import { Trash } from './trash.ts'
import { type DamagedFile, type VerificationProgress, verifyFiles } from './verification.ts'

/** What must hold of the written path: `absent` creates only, `none` also replaces, `etags` replaces those versions. */
export type WriteCondition = Condition
export type FileRange = ByteRange

/** A file that is there. */
export type FoundFile = Found & { readonly record: FileRecord }

export interface WriteOptions {
  readonly condition: WriteCondition
  readonly idempotencyKey?: string | undefined
}

export interface PutOptions extends WriteOptions {
  readonly meta: FileMeta
  /** 64 hexadecimal digits: what the body must hash to. */
  readonly sha256?: string | undefined
  /**
   * Says what must hold, in place of `condition`, once the body is here: what was looked at before a long body may be another by
   * then. What it throws ends the put.
   */
  readonly decide?: () => Promise<WriteCondition>
  /** Check the condition before the body is read, so that a long body is not sent for nothing. */
  readonly refuseEarly?: boolean
  readonly signal?: AbortSignal
}

export interface CopyOptions extends WriteOptions {
  /** Takes the place of what the source has; without it, or without a part of it, the copy has what the source has. */
  readonly meta?: Partial<FileMeta> | undefined
}

/** A body that was received and is not visible yet; it must be given to commitReceived or dropReceived. */
export type ReceivedBody = StagedBody

// A version can be replaced between finding and reading it; this often only if somebody replaces it in a tight loop.
const REPLACED_TRIES_MAX = 5

export class FileService {
  readonly #replication: Replication
  readonly #storage: Storage
  readonly #fileBytesMax: number
  readonly #source: ListSource
  readonly #refuseReserved: (...paths: readonly PathName[]) => void
  /** What was removed or replaced. */
  readonly trash: Trash
  /** How and where this node keeps what it writes. */
  readonly keeping: Keeping

  constructor(
    components: { readonly replication: Replication; readonly storage: Storage },
    init: {
      readonly consistency: Consistency
      /** Bytes of one body; more is FILE_TOO_LARGE. */
      readonly fileBytesMax: number
      /** True for an endpoint that keeps things of its own among the files; see reserved-paths.ts. */
      readonly showsReserved?: boolean
    },
  ) {
    this.#replication = components.replication
    this.#storage = components.storage
    this.#fileBytesMax = init.fileBytesMax
    this.#refuseReserved = init.showsReserved ? () => undefined : refuseReserved
    this.trash = new Trash({
      replication: components.replication,
      commit: (change, keyed) => this.#commit(change, keyed),
    })
    this.#source = init.showsReserved ? components.replication : withoutReserved(components.replication)
    this.keeping = { consistency: init.consistency, durable: components.storage.statistics().durable }
  }

  /** The file at a path, if there is one, and where the request went. */
  async find(path: PathName): Promise<Found> {
    this.#refuseReserved(path)
    return this.#replication.find(path)
  }

  /** As find, where that needs neither another node nor a wait; else undefined. */
  findAtOnce(path: PathName): Found | undefined {
    this.#refuseReserved(path)
    return this.#replication.findAtOnce?.(path)
  }

  /** The bytes of a file that lie in its record, else undefined. @throws StoreError CORRUPT. */
  readAtOnce(record: FileRecord): Uint8Array | undefined {
    const { content } = record.body
    return 'inline' in content
      ? checkedInline(record, content.inline, wholeRange(record, undefined))
      : undefined
  }

  /** The versions of a path that stand beside each other, the one that `find` gives first; more than one only with eventual consistency. */
  async versions(path: PathName): Promise<readonly FileRecord[]> {
    this.#refuseReserved(path)
    if (this.#replication.versions !== undefined) return this.#replication.versions(path)
    const { record } = await this.#replication.find(path)
    return record === undefined ? [] : [record]
  }

  /**
   * The bytes of a file: at once when they are few, else as a stream whose every block was checked.
   * @throws StoreError CORRUPT; FILE_NOT_FOUND when this version was replaced meanwhile: find it again.
   */
  read(found: FoundFile, range?: FileRange): Promise<Uint8Array | Readable> {
    return this.#replication.read(found.record, range)
  }

  /**
   * Stores a body, byte for byte. `body` is not touched before the early checks have passed.
   * @throws StoreError FILE_EXISTS, FILE_NOT_FOUND, PRECONDITION_FAILED, FILE_TOO_LARGE, DISK_FULL,
   *   IDEMPOTENCY_KEY_REUSED, INVALID_REQUEST (not the announced hash), or an error of `body`.
   */
  async put(path: PathName, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<Written> {
    this.#refuseReserved(path)
    if (options.refuseEarly) await this.refuseEarly(path, options)
    const received = this.#receivedAtOnce(body) ?? (await this.#receive(path, body, options.signal))
    if (options.sha256 !== undefined && options.sha256 !== received.sha256) {
      await this.dropReceived(received)
      throw new StoreError('INVALID_REQUEST', 'The body does not have the hash that its digest field says.', {
        path,
      })
    }
    const decided = options.decide === undefined ? undefined : await this.#decided(received, options)
    return this.commitReceived(
      path,
      received,
      decided === undefined ? options : { ...options, condition: decided },
    )
  }

  #receivedAtOnce(body: AsyncIterable<Uint8Array>): ReceivedBody | undefined {
    if (!(body instanceof WholeBody)) return undefined
    return this.#replication.stageAtOnce?.(body, { sizeMax: this.#fileBytesMax })
  }

  #receive(
    path: PathName,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<ReceivedBody> {
    return this.receive(body, { path, ...(signal && { signal }) })
  }

  /** What must hold at the commit. */
  async #decided(received: ReceivedBody, { decide, condition }: PutOptions): Promise<WriteCondition> {
    try {
      return (await decide?.()) ?? condition
    } catch (error) {
      await this.dropReceived(received)
      throw error
    }
  }

  /** Takes a body in without making it visible. @throws as `put` for the body. */
  receive(
    body: AsyncIterable<Uint8Array>,
    options: Omit<ReceiveOptions, 'sizeMax'> = {},
  ): Promise<ReceivedBody> {
    return this.#replication.stage(body, { ...options, sizeMax: this.#fileBytesMax })
  }

  dropReceived(received: ReceivedBody): Promise<void> {
    return this.#replication.discard(received)
  }

  /** Makes a received body visible at a path; when it throws, the body is gone. @throws as `put` for the condition. */
  commitReceived(
    path: PathName,
    received: ReceivedBody,
    options: WriteOptions & { readonly meta: FileMeta },
  ): Promise<Written> {
    try {
      this.#refuseReserved(path)
    } catch (error) {
      return this.dropReceived(received).then(() => Promise.reject(error))
    }
    const { condition, meta } = options
    const change: Change = { kind: 'put', path, condition, body: received, meta }
    const parts = ['put', meta.mediaType, received.sha256, ...(meta.user ? [meta.user] : [])]
    return this.#commit(change, this.#keyed(path, options, parts))
  }

  /**
   * Copies a file to another path, without its bytes passing through the client. With `meta` it may be the same path; then
   * exactly the version that was copied is replaced, and what somebody else writes meanwhile stays (PRECONDITION_FAILED).
   * @throws StoreError FILE_NOT_FOUND (no source), FILE_EXISTS, INVALID_REQUEST (the same path), CORRUPT, DISK_FULL,
   *   IDEMPOTENCY_KEY_REUSED.
   */
  async copy(source: PathName, destination: PathName, options: CopyOptions): Promise<Written> {
    this.#refuseReserved(source, destination)
    if (options.meta === undefined) refuseSamePath(source, destination)
    const parts = ['copy', source, ...(options.meta ? [options.meta] : [])]
    return this.#copy(source, destination, options, this.#keyed(destination, options, parts))
  }

  /**
   * Copies exactly the version that was found, with the metadata given; also onto its own path.
   * @throws StoreError FILE_NOT_FOUND also when the version was replaced meanwhile: find it again; as `copy`.
   */
  async copyFound(
    found: FoundFile,
    destination: PathName,
    options: { readonly condition: WriteCondition; readonly meta: FileMeta },
  ): Promise<Written> {
    this.#refuseReserved(destination)
    const { condition, meta } = options
    refuse(destination, condition, (await this.#replication.find(destination)).record)
    const body = await this.#replication.stageCopy(found.record)
    return this.#commit({ kind: 'put', path: destination, condition, body, meta }, undefined)
  }

  async #copy(
    source: PathName,
    path: PathName,
    { condition, meta: given }: CopyOptions,
    keyed: KeyedRequest | undefined,
  ): Promise<Written> {
    const commitKeyed = keyed && ((change: Change) => this.#commit(change, keyed))
    const refuseCopy = (missing: unknown = notFound(source)) =>
      refuseMissing({ path, condition }, commitKeyed, missing)
    for (let tries = 1; ; tries++) {
      const { record } = await this.#replication.find(source)
      if (record === undefined) return refuseCopy()
      // A retry of a copy that is done meets its own file: the commit knows, by the key, that it is.
      if (keyed === undefined) refuse(path, condition, (await this.#replication.find(path)).record)
      try {
        const body = await this.#replication.stageCopy(record)
        const meta = { ...record.meta, ...given }
        const inCommit = source === path ? onlyVersion(etagOf(record), condition) : condition
        return await this.#commit({ kind: 'put', path, condition: inCommit, body, meta }, keyed)
      } catch (error) {
        // Its bytes went away under us: the source was replaced or removed, and the next round sees which.
        if (errorCode(error) !== 'FILE_NOT_FOUND') throw error
        // Or it is the condition that failed.
        if (condition === 'exists') return refuseCopy(error)
        if (tries === REPLACED_TRIES_MAX) return refuseCopy()
      }
    }
  }

  /**
   * Gives a file another path, in one step: it is never at neither of them.
   * @throws StoreError FILE_NOT_FOUND (no source), FILE_EXISTS, INVALID_REQUEST (the same path),
   *   IDEMPOTENCY_KEY_REUSED.
   */
  async move(source: PathName, destination: PathName, options: WriteOptions): Promise<Written> {
    this.#refuseReserved(source, destination)
    refuseSamePath(source, destination)
    const change: Change = { kind: 'move', from: source, path: destination, condition: options.condition }
    return this.#commit(change, this.#keyed(destination, options, ['move', source]))
  }

  /** @throws StoreError FILE_NOT_FOUND, PRECONDITION_FAILED, IDEMPOTENCY_KEY_REUSED. */
  async remove(path: PathName, options: WriteOptions): Promise<Written> {
    this.#refuseReserved(path)
    const change: Change = { kind: 'remove', path, condition: options.condition }
    return this.#commit(change, this.#keyed(path, options, ['remove']))
  }

  /** The files under a prefix in the byte order of their paths, in batches; see listing.ts. */
  list(query: ListQuery): AsyncIterable<readonly (ListEntry | string)[]> {
    return listBatches(this.#source, query)
  }

  /** Reads every file and checks every byte; see verification.ts. */
  verify(clock: Clock): AsyncIterable<DamagedFile | VerificationProgress> {
    return verifyFiles({ storage: this.#storage, clock })
  }

  /** The same files with the reserved ones, for an endpoint that keeps things of its own among them; see reserved-paths.ts. */
  withReserved(): FileService {
    const { consistency } = this.keeping
    const init = { consistency, fileBytesMax: this.#fileBytesMax, showsReserved: true }
    return new FileService({ replication: this.#replication, storage: this.#storage }, init)
  }

  statistics(): StorageStatistics {
    return this.#storage.statistics()
  }

  /**
   * Refuses a write whose condition does not hold now; the commit checks it again. A request with a key is let through:
   * it may be the retry of a write that is done, whose own file is what stands at the path.
   */
  async refuseEarly(path: PathName, options: WriteOptions): Promise<void> {
    if (options.idempotencyKey !== undefined) return
    refuse(path, options.condition, (await this.#replication.find(path)).record)
  }

  #keyed(path: PathName, options: WriteOptions, parts: readonly unknown[]): KeyedRequest | undefined {
    const { idempotencyKey: key, condition } = options
    return key === undefined ? undefined : keyedRequest(key, path, [...parts, condition])
  }

  #commit(change: Change, keyed: KeyedRequest | undefined): Promise<Written> {
    const idempotency = keyed && { key: keyed.key, fingerprint: keyed.fingerprint }
    return this.#replication.commit(change, idempotency ? { idempotency } : {})
  }
}

/** The condition narrowed down to one version of those that it lets be replaced; `absent` lets none. */
function onlyVersion(etag: ETag, condition: WriteCondition): WriteCondition {
  if (condition === 'absent') return condition
  const isMeant = typeof condition === 'string' || condition.etags.includes(etag)
  return { etags: isMeant ? [etag] : [] }
}

function refuseSamePath(source: PathName, destination: PathName): void {
  if (source !== destination) return
  throw new StoreError('INVALID_REQUEST', 'Source and destination are the same path.', { path: source })
}

function notFound(path: PathName): StoreError {
  return new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path })
}

function refuse(path: PathName, condition: WriteCondition, record: FileRecord | undefined): void {
  if (condition === 'none') return
  if (condition === 'absent') {
    if (record !== undefined) throw new StoreError('FILE_EXISTS', 'A file has this path already.', { path })
  } else if (condition === 'exists') {
    if (record === undefined) throw notFound(path)
  } else if (record === undefined || !condition.etags.includes(etagOf(record))) {
    throw new StoreError('PRECONDITION_FAILED', 'The file is not in a version that If-Match names.', { path })
  }
}
