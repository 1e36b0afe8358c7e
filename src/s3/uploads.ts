/**
 * What is kept of multipart uploads: one reserved file that says what the object will be, and one for each part. They
 * are in no list and at no endpoint; they go when the upload is completed or given up, or is too old.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Env } from '../env.ts'
import { errorCode } from '../errors.ts'
import type { FileService, FoundFile, WriteCondition } from '../files/file-service.ts'
import type { ListedFile } from '../files/listing.ts'
import { RESERVED_SEGMENT } from '../files/reserved-paths.ts'
import type { PathName } from '../ring/path-name.ts'
import { type ETag, etagOf, type FileMeta } from '../storage/record.ts'
import type { Algorithm } from './checksums.ts'
import { S3Error } from './errors.ts'
import type { BucketName } from './object-key.ts'
import { type KeptChecksum, PART_NUMBER_MAX } from './object-meta.ts'

const UPLOADS = `${RESERVED_SEGMENT}/s3/uploads/`
const PARTS = `${RESERVED_SEGMENT}/s3/parts/`

/** After this an upload that was not completed goes with its parts, ms: seven days, the usual rule of S3's users. */
export const UPLOAD_KEPT_MS = 7 * 24 * 60 * 60 * 1000

/** For so long a completed upload is remembered, ms, so that completing it again gives the same answer. */
export const DONE_KEPT_MS = 24 * 60 * 60 * 1000

/**
 * For so long an upload is kept for one completion, ms. Should the node crash that completes it, the same completion goes on at
 * once; another list of parts, or giving the upload up, waits for this.
 */
const CLAIM_MS = 60 * 60 * 1000

/** Completions of one upload that take each other's turn, at the most. */
const CLAIM_TRIES_MAX = 8

/** How often a node that is asked for uploads looks for those that are too old, ms. */
const SWEEP_EVERY_MS = 60 * 60 * 1000

/** Uploads of one bucket that are listed; they are read one by one. */
const LISTED_MAX = 10_000

/** Small files that are read or removed at the same time. */
const AT_ONCE = 16

/** An upload under way, or one that was completed a while ago. */
export interface Upload {
  readonly id: string
  readonly bucket: BucketName
  readonly key: string
  readonly meta: FileMeta
  readonly checksum: { readonly algorithm: Algorithm; readonly type: KeptChecksum['type'] } | undefined
  readonly initiatedAtMs: number
  /** Which completion it is kept for, and until when. */
  readonly claim?: { readonly by: string; readonly untilMs: number } | undefined
  readonly done?: Completion | undefined
}

/** An upload as it was read, and the version in which that was. */
export interface ReadUpload extends Upload {
  readonly etag: ETag
}

export interface Completion {
  /** Of the parts that were named. */
  readonly fingerprint: string
  readonly etag: ETag
  readonly checksum?: KeptChecksum | undefined
  readonly doneAtMs: number
}

/** One part that was received. */
export interface Part {
  readonly number: number
  readonly path: PathName
  readonly size: number
  readonly etag: ETag
  readonly writtenAtMs: number
}

export class Uploads {
  readonly #files: FileService
  readonly #env: Env
  #sweptAtMs: number

  constructor(components: { readonly files: FileService; readonly env: Env }) {
    this.#files = components.files
    this.#env = components.env
    this.#sweptAtMs = Number.NEGATIVE_INFINITY
  }

  async create(init: Omit<Upload, 'id' | 'initiatedAtMs'>): Promise<Upload> {
    const initiatedAtMs = this.#env.clock.nowMs()
    const random = Buffer.from(this.#env.randomness.bytes(16)).toString('hex')
    // In the order of their time, which is the order in which S3 lists uploads of one key.
    const id = `${Math.floor(initiatedAtMs).toString(16).padStart(12, '0')}${random}`
    const upload: Upload = { ...init, id, initiatedAtMs }
    await this.#write(upload)
    return upload
  }

  /** @throws S3Error NoSuchUpload; StoreError. */
  async require(bucket: BucketName, key: string, id: string): Promise<ReadUpload> {
    const upload = /^[0-9a-f]{44}$/.test(id) ? await this.#read(pathOf(bucket, id)) : undefined
    if (upload?.key === key) return upload
    throw noSuchUpload()
  }

  /** As `require`, and not completed. */
  async requireOpen(bucket: BucketName, key: string, id: string): Promise<ReadUpload> {
    const upload = await this.require(bucket, key, id)
    if (upload.done === undefined) return upload
    throw noSuchUpload()
  }

  /**
   * Keeps an upload for one completion: neither another one nor an abort comes between.
   * @param by names the completion; the same one may be asked for several times at once.
   * @throws S3Error OperationAborted, NoSuchUpload; StoreError.
   */
  async claim(upload: ReadUpload, by: string): Promise<void> {
    let now = upload
    for (let tries = 1; tries <= CLAIM_TRIES_MAX; tries++) {
      if (now.done === undefined && this.#isClaimed(now)) {
        if (now.claim?.by === by) return
        throw underWay()
      }
      const untilMs = this.#env.clock.nowMs() + CLAIM_MS
      try {
        return await this.#write({ ...now, claim: { by, untilMs } }, { etags: [now.etag] })
      } catch (error) {
        if (errorCode(error) !== 'PRECONDITION_FAILED') throw error
        now = await this.requireOpen(upload.bucket, upload.key, upload.id)
      }
    }
    throw underWay()
  }

  /** A completion has come to nothing: another one may try. */
  async release(upload: Upload, by: string): Promise<void> {
    const { claim, ...now } = await this.requireOpen(upload.bucket, upload.key, upload.id)
    if (claim?.by === by) await this.#write(now, { etags: [now.etag] })
  }

  #isClaimed({ claim }: Upload): boolean {
    return claim !== undefined && this.#env.clock.nowMs() < claim.untilMs
  }

  /** Remembers what a completed upload has become, and removes its parts. */
  async complete(upload: Upload, done: Completion): Promise<void> {
    await this.#write({ ...upload, done })
  }

  removePart(upload: Pick<Upload, 'id'>, number: number): Promise<void> {
    return this.#remove(partPath(upload, number))
  }

  async removeParts({ id }: Pick<Upload, 'id'>): Promise<void> {
    const paths: PathName[] = []
    for await (const { path } of this.#partEntries(id)) paths.push(path)
    await eachOf(paths, path => this.#remove(path))
  }

  /** Gives an upload up: nothing can be added to it any more, then its parts go. @throws S3Error OperationAborted; StoreError. */
  async abort(upload: ReadUpload): Promise<void> {
    if (this.#isClaimed(upload)) throw underWay()
    try {
      await this.#remove(pathOf(upload.bucket, upload.id), { etags: [upload.etag] })
    } catch (error) {
      throw errorCode(error) === 'PRECONDITION_FAILED' ? underWay() : error
    }
    await this.removeParts(upload)
  }

  /** Uploads of a bucket that are under way, by key, then by time. */
  async open(bucket: BucketName): Promise<Upload[]> {
    const uploads = await this.#all(`${UPLOADS}${bucket}/`)
    return uploads
      .filter(({ done }) => done === undefined)
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || (a.id < b.id ? -1 : 1))
  }

  /** The parts of an upload, by number. */
  async parts({ id }: Pick<Upload, 'id'>): Promise<Part[]> {
    const parts: Part[] = []
    for await (const { path, size, sha256 = '', writtenAtMs } of this.#partEntries(id))
      parts.push({ number: Number(path.slice(-5)), path, size, etag: partETag(sha256), writtenAtMs })
    return parts
  }

  async findPart({ path }: Pick<Part, 'path'>): Promise<FoundFile | undefined> {
    const { record, ...placement } = await this.#files.find(path)
    return record && { record, ...placement }
  }

  /** Removes what is too old; at the most once an hour, when somebody asks for uploads: an idle network stays silent. */
  async sweep(): Promise<void> {
    const nowMs = this.#env.clock.monotonicMs()
    if (nowMs - this.#sweptAtMs < SWEEP_EVERY_MS) return
    this.#sweptAtMs = nowMs
    const wallMs = this.#env.clock.nowMs()
    const known = new Set<string>()
    for (const upload of await this.#all(UPLOADS)) {
      const { id, done, initiatedAtMs } = upload
      const old = done ? wallMs - done.doneAtMs > DONE_KEPT_MS : wallMs - initiatedAtMs > UPLOAD_KEPT_MS
      if (old) await this.#drop(upload)
      // The node that completed it may have ended before it had removed the parts.
      else if (done) await this.removeParts(upload)
      else known.add(id)
    }
    await this.#sweepParts(known, wallMs)
  }

  async #drop(upload: Upload): Promise<void> {
    await this.#remove(pathOf(upload.bucket, upload.id))
    await this.removeParts(upload)
  }

  /** Parts that came while their upload was given up. */
  async #sweepParts(known: ReadonlySet<string>, wallMs: number): Promise<void> {
    for await (const batch of this.#files.list({ prefix: PARTS, delimiter: '/', limit: LISTED_MAX }))
      for (const line of batch) {
        const id = typeof line === 'string' ? line.slice(PARTS.length, -1) : ''
        const startedAtMs = Number.parseInt(id.slice(0, 12), 16)
        // One that began since the list was made is not known there.
        if (!known.has(id) && wallMs - startedAtMs > SWEEP_EVERY_MS) await this.removeParts({ id })
      }
  }

  async #all(prefix: string): Promise<ReadUpload[]> {
    const paths: PathName[] = []
    for await (const batch of this.#files.list({ prefix, limit: LISTED_MAX }))
      for (const line of batch) if (typeof line !== 'string') paths.push(line.path)
    const uploads: ReadUpload[] = []
    await eachOf(paths, async path => {
      const upload = await this.#read(path)
      if (upload !== undefined) uploads.push(upload)
    })
    return uploads
  }

  async *#partEntries(id: string): AsyncGenerator<ListedFile> {
    for await (const batch of this.#files.list({ prefix: `${PARTS}${id}/`, limit: PART_NUMBER_MAX }))
      for (const line of batch) if (typeof line !== 'string') yield line
  }

  async #read(path: PathName): Promise<ReadUpload | undefined> {
    const { record, ...placement } = await this.#files.find(path)
    if (record === undefined) return undefined
    const body = await this.#files.read({ record, ...placement })
    const pieces: Uint8Array[] = []
    if (body instanceof Uint8Array) pieces.push(body)
    else for await (const piece of body) pieces.push(piece)
    return { ...(JSON.parse(Buffer.concat(pieces).toString()) as Upload), etag: etagOf(record) }
  }

  async #write(upload: Upload & { etag?: ETag }, condition: WriteCondition = 'none'): Promise<void> {
    const { etag: _, ...kept } = upload
    const bytes = Buffer.from(JSON.stringify(kept))
    await this.#files.put(pathOf(upload.bucket, upload.id), once(bytes), {
      condition,
      meta: { mediaType: 'application/json' },
    })
  }

  async #remove(path: PathName, condition: WriteCondition = 'exists'): Promise<void> {
    try {
      await this.#files.remove(path, { condition })
    } catch (error) {
      if (errorCode(error) !== 'FILE_NOT_FOUND') throw error
    }
  }
}

/** The path of a part. */
export function partPath({ id }: Pick<Upload, 'id'>, number: number): PathName {
  return `${PARTS}${id}/${String(number).padStart(5, '0')}` as PathName
}

/**
 * The ETag of a part names its bytes: a client that sends a part again, because it lost the answer, may name either. The hyphen
 * tells clients that it is no MD5.
 */
export function partETag(sha256: string): ETag {
  return `"${sha256.slice(0, 32)}-part"` as ETag
}

/** Stands for the parts that a completion names. */
export function fingerprintOf(parts: readonly { readonly number: number; readonly etag: string }[]): string {
  const text = JSON.stringify(parts.map(({ number, etag }) => [number, etag]))
  return createHash('sha256').update(text).digest('base64url')
}

export function noSuchUpload(): S3Error {
  return new S3Error(
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
  )
}

function underWay(): S3Error {
  return new S3Error('OperationAborted', 'A completion of this upload is under way. Please try again.')
}

function pathOf(bucket: BucketName, id: string): PathName {
  return `${UPLOADS}${bucket}/${id}` as PathName
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Does the same for each, some at a time. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const next = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next))
}
