/**
 * The tables of one node in its LMDB environment: files and tombstones by ring position, lines of the
 * list by path, replication's values, blobs that are not settled, and the node's own numbers.
 *
 * LMDB shows a transaction to readers only after its flush (overlapping sync is off), so what can be read is durable,
 * and a reader never waits for a writer (docs/decisions/0010-storage-on-disk.md).
 */
import { Buffer } from 'node:buffer'
import { statfs } from 'node:fs/promises'
import { open, type RootDatabase } from 'lmdb'
import { errorCode, StoreError } from '../errors.ts'
import type { Identifier } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import { isTrashPath, TRASH_PREFIX } from '../ring/trash-path.ts'
import { diskError, type FreeSpace } from './disk-errors.ts'
import { type DiskWatch, UNWATCHED } from './disk-watch.ts'
import { GroupCommit } from './group-commit.ts'
import { checkIndexFile } from './index-file.ts'
import { inParts, type Table, within } from './lmdb-walk.ts'
import type { BlobId, FileRecord } from './record.ts'
import {
  decodeLine,
  decodeRecord,
  encodeLine,
  encodeRecord,
  notesOfRecord,
  pathOfRecordKey,
  positionOfRecordKey,
  recordKey,
} from './record-codec.ts'
import type { InspectedRecord, KeptRecord, RecordWrite } from './replica-store.ts'
import type { ListEntry, TrashTotals } from './storage.ts'

/** What one write changes in the tables. */
export interface IndexWrite {
  /** Each path once. */
  readonly keep?: readonly RecordWrite[]
  readonly values?: readonly (readonly [key: string, value: Uint8Array | undefined])[]
  readonly unsettle?: readonly BlobId[]
  readonly settle?: readonly BlobId[]
}

export interface Totals {
  readonly files: number
  /** Sum of the sizes of all files. */
  readonly bytes: number
  readonly trash: TrashTotals
}

/** Lines of the list read at once: many enough to make a seek cheap, few enough not to hold up others. */
const LINES_AT_ONCE = 256

/** Bytes that one write may take beside its body: about 12 pages of 4 KiB, the way down to each table it touches. */
const WRITE_BYTES = 64 * 1024

/** Bytes that must be left over, for what others write to the disk between the look and the transaction. */
const SPARE_BYTES = 256 * 1024

const NODE_ID = Buffer.from('nodeId')
const BOOT = Buffer.from('boot')
const TOTALS = Buffer.from('totals')

type Watch = Pick<DiskWatch, 'during'>

export class LmdbIndex {
  /** Names this disk for as long as it lives: 32 hexadecimal digits. */
  readonly nodeId: string
  /** How often this index was opened: 1 the first time. */
  readonly boot: number
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #watch: Watch
  readonly #space: FreeSpace
  readonly #records: Table
  readonly #lines: Table
  /** Those of trashed versions, apart: whoever walks over the files does not walk over these. */
  readonly #trashLines: Table
  readonly #unsettled: Table
  readonly #tombstones: Table
  /** Those with a trash, which stay for days: whoever collects tombstones does not look them over. */
  readonly #trashTombstones: Table
  readonly #values: Table
  readonly #meta: Table
  readonly #commits = new GroupCommit<IndexWrite>(group => this.#make(group))
  #totals: Totals

  private constructor(root: RootDatabase<Buffer, Buffer>, newNodeId: string, space: FreeSpace, watch: Watch) {
    this.#root = root
    this.#watch = watch
    this.#space = space
    const table = (name: string) => root.openDB<Buffer, Buffer>({ name, ...BINARY })
    this.#records = table('records')
    this.#lines = table('lines')
    this.#trashLines = table('trash-lines')
    this.#unsettled = table('unsettled')
    this.#tombstones = table('tombstones')
    this.#trashTombstones = table('trash-tombstones')
    this.#values = table('values')
    this.#meta = table('meta')
    this.nodeId = (this.#meta.get(NODE_ID) ?? Buffer.from(newNodeId)).toString()
    this.boot = (this.#meta.get(BOOT)?.readDoubleLE(0) ?? 0) + 1
    this.#totals = decodeTotals(this.#meta.get(TOTALS))
  }

  /**
   * Opens the index in a file, makes it when it is missing, and counts the start durably. `newNodeId` names a new one.
   * @throws StoreError DISK_FULL, UNAVAILABLE when the disk refuses, CORRUPT when the file is not an index.
   */
  static async open(
    file: string,
    newNodeId: string,
    space: FreeSpace,
    watch: Watch = UNWATCHED,
  ): Promise<LmdbIndex> {
    let root: RootDatabase<Buffer, Buffer> | undefined
    try {
      await checkIndexFile(file)
      root = open<Buffer, Buffer>({ path: file, ...ENVIRONMENT, ...BINARY })
      const index = new LmdbIndex(root, newNodeId, space, watch)
      const boot = encodeDoubles(index.boot)
      await durable(index.#root, () => {
        index.#meta.put(NODE_ID, Buffer.from(index.nodeId))
        index.#meta.put(BOOT, boot)
      })
      return index
    } catch (cause) {
      await root?.close()
      const error = diskError(cause, `The index ${file} can't be opened`)
      if (error !== cause || cause instanceof StoreError) throw error
      throw new StoreError('CORRUPT', `The index ${file} can't be read: ${(cause as Error).message}.`, {
        cause,
      })
    }
  }

  get totals(): Totals {
    return this.#totals
  }

  /** The file at a path. */
  record(path: PathName): FileRecord | undefined {
    const value = lent(this.#records, recordKey(path))
    return value && decodeRecord(path, value)
  }

  /** What a replica keeps at a path, a tombstone included. */
  kept(path: PathName, position?: Identifier): KeptRecord | undefined {
    const key = recordKey(path, position)
    const value = lent(this.#records, key)
    if (value !== undefined) return keptFile(key, value)
    const tombstone = lent(this.#tombstones, key) ?? lent(this.#trashTombstones, key)
    return tombstone && keptTombstone(key, Buffer.from(tombstone))
  }

  /** What a replica keeps in (lo, hi]: the files, then the tombstones; a live view. */
  *keptWithin(lo: Identifier, hi: Identifier): Generator<KeptRecord> {
    for (const { key, value } of within(this.#records, lo, hi)) yield keptFile(key, value)
    yield* this.tombstonesWithin(lo, hi, true)
  }

  /** What a replica keeps of files in (lo, hi], clockwise, the damaged ones included; a live view. */
  *inspectWithin(lo: Identifier, hi: Identifier): Generator<InspectedRecord> {
    for (const { key, value } of within(this.#records, lo, hi)) {
      const path = pathOfRecordKey(key)
      try {
        yield { path, kept: keptFile(key, value), listed: undefined }
      } catch (error) {
        if (errorCode(error) !== 'CORRUPT') throw error
        yield { path, kept: undefined, listed: this.#lineOf(path) }
      }
    }
  }

  /** The tombstones in (lo, hi]; those that have a trash only when they are asked for. */
  *tombstonesWithin(lo: Identifier, hi: Identifier, withTrash = false): Generator<KeptRecord> {
    yield* tombstonesIn(this.#tombstones, lo, hi)
    if (withTrash) yield* tombstonesIn(this.#trashTombstones, lo, hi)
  }

  *values(prefix: string): Generator<readonly [key: string, value: Buffer]> {
    for (const { key, value } of inParts(this.#values, Buffer.from(prefix), undefined, LINES_AT_ONCE)) {
      const text = key.toString()
      if (!text.startsWith(prefix)) return
      yield [text, value]
    }
  }

  /**
   * The lines of the files under a prefix, in the byte order of their paths, from after `after` on; a live view. Those of
   * trashed versions only under a prefix of theirs.
   */
  *lines(prefix: string, after = ''): Generator<ListEntry> {
    const prefixKey = Buffer.from(prefix)
    // No path begins with NUL or holds one: this is the least key after `after`.
    const afterKey = Buffer.from(`${after}\0`)
    const start = Buffer.compare(prefixKey, afterKey) > 0 ? prefixKey : afterKey
    const lines = prefix.startsWith(TRASH_PREFIX) ? this.#trashLines : this.#lines
    for (const { key, value } of inParts(lines, start, undefined, LINES_AT_ONCE)) {
      if (!key.subarray(0, prefixKey.length).equals(prefixKey)) return
      yield decodeLine(key.toString() as PathName, value)
    }
  }

  #lineOf(path: PathName): ListEntry | undefined {
    const line = this.#linesOf(path).get(Buffer.from(path))
    return line && decodeLine(path, line)
  }

  #linesOf(path: PathName): Table {
    return isTrashPath(path) ? this.#trashLines : this.#lines
  }

  /** The blobs that may lie on the disk without belonging to a record. */
  unsettledBlobs(): BlobId[] {
    return Array.from(this.#unsettled.getKeys(), key => (key as Buffer).toString('hex') as BlobId)
  }

  /**
   * Makes the changes in one step; resolves when they are durable and visible.
   * @throws StoreError DISK_FULL, OVERLOADED: nothing has changed; INDETERMINATE when the disk failed half-way.
   */
  write(change: IndexWrite): Promise<void> {
    return this.#commits.add(change)
  }

  /** Resolves when no write is under way. */
  idle(): Promise<void> {
    return this.#commits.idle()
  }

  async close(): Promise<void> {
    await this.#commits.idle()
    await this.#root.close()
  }

  async #make(group: readonly IndexWrite[]): Promise<void> {
    const files = { count: this.#totals.files, bytes: this.#totals.bytes }
    const trash = { count: this.#totals.trash.versions, bytes: this.#totals.trash.bytes }
    let changed = false
    for (const { keep = [] } of group) {
      for (const { path, record, sizeBefore } of keep) {
        const sum = isTrashPath(path) ? trash : files
        const count = (record?.file ? 1 : 0) - (sizeBefore === undefined ? 0 : 1)
        const bytes = (record?.file?.body.size ?? 0) - (sizeBefore ?? 0)
        sum.count += count
        sum.bytes += bytes
        changed ||= count !== 0 || bytes !== 0
      }
    }
    this.#assertRoom(group)
    const totals = {
      files: files.count,
      bytes: files.bytes,
      trash: { versions: trash.count, bytes: trash.bytes },
    }
    const writing = durable(this.#root, () => {
      for (const write of group) this.#apply(write)
      if (changed) this.#meta.put(TOTALS, encodeDoubles(files.count, files.bytes, trash.count, trash.bytes))
    })
    await this.#watch.during(writing)
    this.#totals = totals
  }

  /**
   * Refuses a group that the disk might not hold. LMDB must not find that out by itself: a transaction of lmdb-js that
   * meets the end of the disk can damage its heap, and the process aborts some writes later (docs/decisions/0012).
   * @throws StoreError DISK_FULL: nothing has changed.
   */
  #assertRoom(group: readonly IndexWrite[]): void {
    let bytes = SPARE_BYTES
    for (const { keep = [] } of group) {
      bytes += WRITE_BYTES * Math.max(1, keep.length)
      for (const { record } of keep) {
        const content = record?.file?.body.content
        if (content && 'inline' in content) bytes += 2 * content.inline.length
        bytes += 2 * (record?.notes.length ?? 0)
      }
    }
    this.#space.assert(bytes)
  }

  #apply(write: IndexWrite): void {
    for (const one of write.keep ?? []) this.#keep(one)
    for (const [key, value] of write.values ?? []) {
      if (value === undefined) this.#values.remove(Buffer.from(key))
      else this.#values.put(Buffer.from(key), asBuffer(value))
    }
    for (const blobId of write.unsettle ?? []) this.#unsettled.put(Buffer.from(blobId, 'hex'), NOTHING)
    for (const blobId of write.settle ?? []) this.#unsettled.remove(Buffer.from(blobId, 'hex'))
  }

  #keep({ path, record, sizeBefore, isNew = false }: RecordWrite): void {
    const key = recordKey(path, record?.position)
    if (record?.file) {
      this.#records.put(key, encodeRecord(record.file, record.notes))
      this.#linesOf(path).put(Buffer.from(path), encodeLine(record.file))
    } else if (sizeBefore !== undefined) {
      this.#records.remove(key)
      this.#linesOf(path).remove(Buffer.from(path))
    }
    const isTombstone = record !== undefined && record.file === undefined
    for (const [table, hasTrash] of [
      [this.#tombstones, false],
      [this.#trashTombstones, true],
    ] as const) {
      if (isTombstone && hasTrash === (record.hasTrash ?? false)) table.put(key, asBuffer(record.notes))
      else if (!isNew) table.remove(key)
    }
  }
}

function* tombstonesIn(table: Table, lo: Identifier, hi: Identifier): Generator<KeptRecord> {
  for (const { key, value } of within(table, lo, hi)) yield keptTombstone(key, value)
}

function keptFile(key: Buffer, value: Buffer): KeptRecord {
  const path = pathOfRecordKey(key)
  const file = decodeRecord(path, value)
  return { path, position: positionOfRecordKey(key), file, notes: notesOfRecord(file, value) }
}

function keptTombstone(key: Buffer, notes: Buffer): KeptRecord {
  return { path: pathOfRecordKey(key), position: positionOfRecordKey(key), file: undefined, notes }
}

/** A value, until the next read: LMDB lends a longer buffer with a false `length`, which subarray of Node.js 24 looks through. */
function lent(table: Table, key: Buffer): Buffer | undefined {
  const value = table.getBinaryFast(key)
  return value?.subarray(0, value.length)
}

/** A Buffer on the same bytes: LMDB takes no other view. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Without overlapping sync a transaction is durable when it shows. Without the batching of event turns, which our group
 * commit replaces, a transaction that fails says so by the one promise of its batch and by no other.
 */
const ENVIRONMENT = { noSubdir: true, maxDbs: 10, overlappingSync: false, eventTurnBatching: false } as const

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const
const NOTHING = Buffer.alloc(1)

/** Runs the puts and removes of `action` in one transaction and waits for its flush. */
async function durable(root: RootDatabase<Buffer, Buffer>, action: () => void): Promise<void> {
  try {
    await root.batch(action)
  } catch (error) {
    // What went wrong is told by a second promise, which rejects a little later than the first.
    const { commitError } = error as { commitError?: Promise<never> }
    const cause = await Promise.resolve(commitError).catch((commitError: unknown) => commitError)
    throw await refusal(cause ?? error, root)
  }
}

/**
 * What a failed transaction means. LMDB calls a write that was cut short an input/output error, and that is how a disk
 * that fills up shows itself; it happens before the one page is written that makes a transaction count. Of other faults
 * nobody can say whether it did.
 */
async function refusal(cause: unknown, root: RootDatabase<Buffer, Buffer>): Promise<StoreError> {
  const error = diskError(cause, 'The index was not written')
  if (errorCode(error) === 'DISK_FULL') return error as StoreError
  const full =
    (cause as { code?: unknown }).code === INPUT_OUTPUT_ERROR && (await roomLeft(root)) < ROOM_BYTES_MIN
  if (full) return new StoreError('DISK_FULL', 'No space is left on the disk.', { cause })
  return new StoreError('INDETERMINATE', 'The disk failed while the change was being written.', { cause })
}

const INPUT_OUTPUT_ERROR = 5

/** Bytes free below which a write that was cut short means a full disk. */
const ROOM_BYTES_MIN = 4 * 1024 * 1024

async function roomLeft(root: RootDatabase<Buffer, Buffer>): Promise<number> {
  const { bavail, bsize } = await statfs((root as unknown as { path: string }).path)
  return bavail * bsize
}

function encodeDoubles(...numbers: number[]): Buffer {
  return Buffer.from(new Float64Array(numbers).buffer)
}

function decodeTotals(value: Buffer | undefined): Totals {
  const number = (index: number) =>
    value && value.length >= 8 * (index + 1) ? value.readDoubleLE(8 * index) : 0
  // Before format 3 of the data directory there was no trash.
  return { files: number(0), bytes: number(1), trash: { versions: number(2), bytes: number(3) } }
}
