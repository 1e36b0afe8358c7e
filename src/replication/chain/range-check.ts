/**
 * The check of the copies that this node keeps of one range, as the disk has them now, and their healing: a damaged
 * or missing copy is replaced by a good one from another replica, and then looked at again.
 */
import type { Env } from '../../env.ts'
import { type ErrorCode, errorCode, StoreError } from '../../errors.ts'
import type { Arc } from '../../ring/arc.ts'
import type { NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { isTrashPath } from '../../ring/trash-path.ts'
import { hashedBody } from '../../storage/checked-blocks.ts'
import { etagOf, type FileRecord } from '../../storage/record.ts'
import type { InspectedRecord, ReplicaStore } from '../../storage/replica-store.ts'
import type { Storage } from '../../storage/storage.ts'
import { serves } from '../../views/install.ts'
import type { BodyCarrier } from './body-carrier.ts'
import { type ChainRecord, compareVersions } from './chain-record.ts'
import type { ChainDriver } from './driver.ts'
import { holdersOf, type NetworkView } from './network-view.ts'
import { areNotesWhole, keptRecordOf } from './record-notes.ts'

/** Between two words about progress, ms: often enough that nobody believes the check to hang. */
const PROGRESS_MS = 1_000

/** Nodes that are asked for one good record. */
const RECORD_ASKS_MAX = 8

/** A record that was mended is durable by then, ms; the disk is looked at so often meanwhile. */
const MEND_TIMEOUT_MS = 10_000
const MEND_LOOK_MS = 20

/** What a check tells while it goes on. Counts are those since its beginning. */
export type CheckWord =
  | { readonly kind: 'progress'; readonly files: number; readonly bytes: number }
  /** A copy that was not what it should be. */
  | {
      readonly kind: 'copy'
      readonly path: PathName
      readonly code: ErrorCode
      readonly message: string
      readonly healed: boolean
    }
  /** The last word. `epoch` is that of the view which this node serves the whole range in; 0 when there is none. */
  | { readonly kind: 'end'; readonly files: number; readonly bytes: number; readonly epoch: number }

export interface RangeCheckComponents {
  readonly env: Env
  readonly storage: Pick<Storage, 'read'> & { readonly replica: ReplicaStore }
  readonly driver: ChainDriver
  readonly carrier: Pick<BodyCarrier, 'restore'>
  /** The record of a path as another node keeps it, checked there and here; undefined when it has none. */
  readonly askRecord: (node: NodeId, path: PathName) => Promise<ChainRecord | undefined>
}

/** Nobody knows which version it was, so none of another replica can take its place. */
const DAMAGED_TOMBSTONE = {
  code: 'CORRUPT',
  message: 'The stored record of a removed file fails its checksum.',
} as const

/** A record of which the notes alone are damaged is a damaged record of that version. */
function withWholeNotes(inspected: InspectedRecord): InspectedRecord {
  const { path, kept } = inspected
  if (kept?.file === undefined || areNotesWhole(kept.notes)) return inspected
  return { path, kept: undefined, listed: { etag: etagOf(kept.file) } }
}

export class RangeCheck {
  readonly #components: RangeCheckComponents

  constructor(components: RangeCheckComponents) {
    this.#components = components
  }

  /** Reads every copy in the order of the ring. Files may come and go meanwhile. */
  async *check(range: Arc, options: { readonly heal: boolean }): AsyncGenerator<CheckWord> {
    const { env, storage } = this.#components
    const count = { files: 0, bytes: 0 }
    let saidMs = env.clock.monotonicMs()
    for (const found of storage.replica.inspect(range.lo, range.hi)) {
      const inspected = withWholeNotes(found)
      const copy = this.#checkCopy(inspected)
      let step = await copy.next()
      for (; !step.done; step = await copy.next()) {
        count.bytes += step.value
        if (env.clock.monotonicMs() - saidMs < PROGRESS_MS) continue
        saidMs = env.clock.monotonicMs()
        yield { kind: 'progress', ...count }
      }
      // A trashed version is read like a file, and is none.
      if (!isTrashPath(inspected.path)) count.files += 1
      if (step.value === undefined) continue
      const dealing = this.#dealWith(inspected, step.value, options.heal)
      for (;;) {
        const word = await Promise.race([dealing, env.timers.sleep(PROGRESS_MS)])
        yield word ?? { kind: 'progress', ...count }
        if (word) break
      }
    }
    for (const { path, notes } of storage.replica.tombstones(range.lo, range.hi, true)) {
      if (!areNotesWhole(notes)) yield { kind: 'copy', path, ...DAMAGED_TOMBSTONE, healed: false }
    }
    const epoch = servedEpoch(this.#components.driver.known, range)
    await this.#components.driver.durable()
    yield { kind: 'end', ...count, epoch }
  }

  /** The same record with a good body, from another replica, becomes durable here. @throws StoreError. */
  async mendFrom(node: NodeId, path: PathName): Promise<void> {
    const record = await this.#components.askRecord(node, path)
    if (record === undefined)
      throw new StoreError('FILE_NOT_FOUND', 'The other node has no such record.', { path })
    await this.#mend(record)
  }

  /** Yields how many bytes passed; gives what is wrong with the copy. */
  async *#checkCopy({ path, kept }: InspectedRecord): AsyncGenerator<number, StoreError | undefined> {
    if (kept === undefined) {
      return new StoreError('CORRUPT', 'The stored record of the file fails its checksum.', { path })
    }
    const { storage } = this.#components
    let file = kept.file
    while (file !== undefined) {
      try {
        this.#assertBody(file)
        yield* hashedBody(storage, file)
        return undefined
      } catch (error) {
        const code = errorCode(error)
        if (code !== 'CORRUPT' && code !== 'FILE_NOT_FOUND') throw error
        const now: FileRecord | undefined = this.#fileAt(path)
        if (now !== undefined && etagOf(now) === etagOf(file)) return error as StoreError
        file = now
      }
    }
    return undefined
  }

  /** A body that is still on its way here is missing, too. */
  #assertBody({ path, body }: FileRecord): void {
    if (!('blobId' in body.content) || this.#components.driver.kept.hasBody(body.content.blobId)) return
    throw new StoreError('FILE_NOT_FOUND', 'The bytes of the file are not here yet.', { path })
  }

  #fileAt(path: PathName): FileRecord | undefined {
    return this.#components.storage.replica.record(path)?.file
  }

  async #dealWith(inspected: InspectedRecord, fault: StoreError, heal: boolean): Promise<CheckWord> {
    const { path } = inspected
    const { code, message } = fault
    if (!heal) return { kind: 'copy', path, code, message, healed: false }
    try {
      await this.#heal(inspected)
      const kept = this.#components.storage.replica.record(path)
      const again = this.#checkCopy(withWholeNotes({ path, kept, listed: undefined }))
      let step = await again.next()
      while (!step.done) step = await again.next()
      return { kind: 'copy', path, code, message, healed: step.value === undefined }
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      const because = `${message} ${(error as Error).message}`
      return { kind: 'copy', path, code, message: because, healed: false }
    }
  }

  async #heal({ path, kept, listed }: InspectedRecord): Promise<void> {
    const { driver, carrier } = this.#components
    if (kept?.file === undefined) return this.#replaceRecord(path, listed?.etag)
    const { content, sha256 } = kept.file.body
    if ('inline' in content) return this.#mend(await this.#goodRecord(path, etagOf(kept.file)))
    const blob = { blobId: content.blobId, sha256 }
    await carrier.restore(path, blob)
    if (driver.kept.hasBody(blob.blobId)) return
    driver.tellMyself({ kind: 'blob', blob })
  }

  /** From any other replica, in the version that is damaged here. @throws StoreError UNAVAILABLE. */
  async #goodRecord(path: PathName, etag: string): Promise<ChainRecord> {
    const { driver, askRecord } = this.#components
    for (const node of holdersOf(driver.known, path).slice(0, RECORD_ASKS_MAX)) {
      const record = await askRecord(node, path).catch((error: unknown) => {
        if (errorCode(error) === undefined) throw error
        return undefined
      })
      if (record?.body === undefined || record.written === undefined) continue
      if (etagOf({ version: record.written.version, body: record.body }) === etag) return record
    }
    throw new StoreError('UNAVAILABLE', 'No other replica that answers has a good record of this version.', {
      path,
    })
  }

  async #mend(record: ChainRecord): Promise<void> {
    const { driver, env } = this.#components
    driver.dispatch({ kind: 'mend', record })
    const deadlineMs = env.clock.monotonicMs() + MEND_TIMEOUT_MS
    while (driver.isChanging(record.path) && env.clock.monotonicMs() < deadlineMs) {
      await env.timers.sleep(MEND_LOOK_MS)
    }
  }

  /**
   * A record that can't be decoded is out of the machine's reach: each step that looks at it fails. So nothing can
   * change it meanwhile, and the good one takes its place on the disk: it is the very version that the digests over the
   * records were made with.
   */
  async #replaceRecord(path: PathName, etag: string | undefined): Promise<void> {
    const { driver, storage } = this.#components
    if (etag === undefined)
      throw new StoreError('UNAVAILABLE', 'The list does not say which version it was.', { path })
    const record = await this.#goodRecord(path, etag)
    const { written, version, body } = record
    if (written === undefined || compareVersions(version, written.version) !== 0 || driver.isChanging(path)) {
      throw new StoreError('UNAVAILABLE', 'The file is being moved; a later check will find it at rest.', {
        path,
      })
    }
    const write = { path, record: keptRecordOf(record), sizeBefore: body?.size }
    await storage.replica.apply({ records: [write], values: [], keepBlobs: [], dropBlobs: [] })
  }
}

/** The epoch of the view in which a node serves the whole of a range; 0 when there is none. */
export function servedEpoch(known: NetworkView, range: Arc): number {
  const view = known.covering(range.hi)
  const state = view && known.state(view.id)
  if (view === undefined || state === undefined || !serves(state)) return 0
  return view.lo === range.lo && view.hi === range.hi && view.replicas.includes(known.self) ? view.epoch : 0
}
