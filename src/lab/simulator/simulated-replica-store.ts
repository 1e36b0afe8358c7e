/**
 * What a replica keeps on a simulated disk: the bytes that LMDB would hold, under keys of one table. As there,
 * nothing is shown before it is durable, and batches become durable in their order.
 */
import { Buffer } from 'node:buffer'
import type { Readable } from 'node:stream'
import { arcContains } from '../../ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Body } from '../../storage/record.ts'
import { decodeRecord, encodeRecord, notesOfRecord } from '../../storage/record-codec.ts'
import type { InspectedRecord, KeptRecord, ReplicaBatch, ReplicaStore } from '../../storage/replica-store.ts'
import type { StageOptions } from '../../storage/storage.ts'
import { SimulatedBodies } from './simulated-bodies.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const RECORD = 'record/'
const TOMBSTONE = 'tombstone/'
const TRASH_TOMBSTONE = 'trash-tombstone/'
/** Before the keys of values. */
export const VALUE = 'value/'

export class SimulatedReplicaStore implements ReplicaStore {
  readonly bodies: SimulatedBodies
  readonly #disk: SimulatedDisk<Uint8Array>
  #hasEnded = false
  /** Bytes on a simulated disk never change, so each is decoded once. */
  readonly #decoded = new WeakMap<Uint8Array, KeptRecord>()

  constructor(components: { readonly disk: SimulatedDisk<Uint8Array> }) {
    this.#disk = components.disk
    this.bodies = new SimulatedBodies(components)
  }

  record(path: PathName): KeptRecord | undefined {
    const bytes = this.#disk.readDurable(RECORD + path)
    if (bytes !== undefined) return this.#decode(path, bytes, true)
    for (const table of [TOMBSTONE, TRASH_TOMBSTONE]) {
      const tombstone = this.#disk.readDurable(table + path)
      if (tombstone !== undefined) return this.#decode(path, tombstone, false)
    }
    return undefined
  }

  *records(lo: Identifier, hi: Identifier): Iterable<KeptRecord> {
    yield* this.#within(RECORD, lo, hi)
    yield* this.tombstones(lo, hi, true)
  }

  *tombstones(lo: Identifier, hi: Identifier, withTrash = false): Iterable<KeptRecord> {
    yield* this.#within(TOMBSTONE, lo, hi)
    if (withTrash) yield* this.#within(TRASH_TOMBSTONE, lo, hi)
  }

  *inspect(lo: Identifier, hi: Identifier): Iterable<InspectedRecord> {
    const files = [...this.#within(RECORD, lo, hi)]
    const distance = ({ position }: KeptRecord) => (position > lo ? `0${position}` : `1${position}`)
    files.sort((a, b) => (distance(a) < distance(b) ? -1 : 1))
    for (const kept of files) yield { path: kept.path, kept, listed: undefined }
  }

  *values(prefix: string): Iterable<readonly [string, Uint8Array]> {
    for (const key of this.#disk.durableKeys(VALUE + prefix)) {
      yield [key.slice(VALUE.length), this.#disk.readDurable(key) as Uint8Array]
    }
  }

  /** The process that writes here has ended: what is left of it in this run writes nothing any more. */
  end(): void {
    this.#hasEnded = true
    this.bodies.forgetReceipts()
  }

  async apply(batch: ReplicaBatch): Promise<void> {
    if (this.#hasEnded) return new Promise(() => undefined)
    const changes: [string, Uint8Array | undefined][] = []
    for (const { path, record } of batch.records) {
      const file = record?.file
      changes.push([RECORD + path, file && encodeRecord(file, record?.notes)])
      const tombstone = file === undefined ? record?.notes : undefined
      changes.push([TOMBSTONE + path, record?.hasTrash ? undefined : tombstone])
      changes.push([TRASH_TOMBSTONE + path, record?.hasTrash ? tombstone : undefined])
    }
    for (const [key, value] of batch.values) changes.push([VALUE + key, value])
    const bodies = this.bodies.batch(batch.keepBlobs, batch.dropBlobs)
    try {
      this.#disk.write([...changes, ...bodies.changes])
      await new Promise<void>((resolve, reject) => {
        this.#disk.sync(error => (error === undefined ? resolve() : reject(error)))
      })
    } finally {
      bodies.done()
    }
  }

  async tryBody(): Promise<void> {}

  receive(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body> {
    return this.bodies.receive(blobId, body, options)
  }

  replaceBlob(blobId: BlobId, sha256: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    return this.bodies.replace(blobId, sha256, body)
  }

  async openBlob(blobId: BlobId, first: number, last?: number): Promise<Readable> {
    return this.bodies.open(blobId, first, last)
  }

  async hasBlob(blobId: BlobId): Promise<boolean> {
    return this.bodies.has(blobId)
  }

  *#within(table: string, lo: Identifier, hi: Identifier): Generator<KeptRecord> {
    for (const key of this.#disk.durableKeys(table)) {
      const path = key.slice(table.length) as PathName
      const bytes = this.#disk.readDurable(key)
      if (bytes !== undefined && arcContains({ lo, hi }, identifierOfPath(path)))
        yield this.#decode(path, bytes, table === RECORD)
    }
  }

  #decode(path: PathName, bytes: Uint8Array, isFile: boolean): KeptRecord {
    const known = this.#decoded.get(bytes)
    if (known !== undefined) return known
    const named = { path, position: identifierOfPath(path) }
    const kept = { ...named, ...(isFile ? decodeFile(path, bytes) : { file: undefined, notes: bytes }) }
    this.#decoded.set(bytes, kept)
    return kept
  }
}

function decodeFile(path: PathName, bytes: Uint8Array): Pick<KeptRecord, 'file' | 'notes'> {
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const file = decodeRecord(path, value)
  return { file, notes: notesOfRecord(file, value) }
}
