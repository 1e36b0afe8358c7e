/**
 * Buckets: a bucket is a first segment with files below it, or one that was created and is marked by a small reserved
 * file. Buckets are listed, created, looked for and removed here.
 */
import { errorCode } from '../errors.ts'
import type { FileService } from '../files/file-service.ts'
import { RESERVED_SEGMENT } from '../files/reserved-paths.ts'
import type { PathName } from '../ring/path-name.ts'
import { S3Error } from './errors.ts'
import { type BucketName, isBucketName } from './object-key.ts'

const MARKERS = `${RESERVED_SEGMENT}/s3/buckets/`

/** Buckets of one list; S3's own bound for one account. */
const BUCKETS_MAX = 10_000

export interface Bucket {
  readonly name: BucketName
  /** When it was created, or when its first file was written; ms since 1970. */
  readonly createdAtMs: number
}

export class Buckets {
  readonly #files: FileService

  constructor(components: { readonly files: FileService }) {
    this.#files = components.files
  }

  /** All buckets in the order of their names. @throws StoreError UNAVAILABLE. */
  async all(): Promise<Bucket[]> {
    const created = new Map<string, number>()
    for await (const batch of this.#files.list({ prefix: MARKERS, limit: BUCKETS_MAX }))
      for (const entry of batch)
        if (typeof entry !== 'string') created.set(entry.path.slice(MARKERS.length), entry.writtenAtMs)
    for await (const batch of this.#files.list({ prefix: '', delimiter: '/', limit: BUCKETS_MAX }))
      for (const listed of batch) {
        const name = typeof listed === 'string' ? listed.slice(0, -1) : ''
        if (isBucketName(name) && !created.has(name)) created.set(name, await this.#firstWrite(name))
      }
    return [...created]
      .map(([name, createdAtMs]) => ({ name: name as BucketName, createdAtMs }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Makes a bucket; one that is there is as good, as in the first region of S3. @throws StoreError. */
  async create(name: BucketName): Promise<void> {
    try {
      await this.#files.put(markerOf(name), empty(), {
        condition: 'absent',
        meta: { mediaType: 'application/octet-stream' },
      })
    } catch (error) {
      if (errorCode(error) !== 'FILE_EXISTS') throw error
    }
  }

  /** @throws S3Error NoSuchBucket; StoreError UNAVAILABLE. */
  async require(name: BucketName): Promise<void> {
    if (!(await this.has(name))) throw noSuchBucket()
  }

  /** True for a bucket that was created, or has files. @throws StoreError UNAVAILABLE. */
  async has(name: BucketName): Promise<boolean> {
    return (await this.#files.find(markerOf(name))).record !== undefined || (await this.#hasFiles(name))
  }

  /**
   * A file that is written at the same moment is not lost: the bucket is there then, as one that was never created.
   * @throws S3Error NoSuchBucket, BucketNotEmpty; StoreError.
   */
  async remove(name: BucketName): Promise<void> {
    await this.require(name)
    if (await this.#hasFiles(name))
      throw new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty.')
    try {
      await this.#files.remove(markerOf(name), { condition: 'exists' })
    } catch (error) {
      throw errorCode(error) === 'FILE_NOT_FOUND' ? noSuchBucket() : error
    }
  }

  async #hasFiles(name: BucketName): Promise<boolean> {
    return (await this.#first(name)) !== undefined
  }

  async #firstWrite(name: BucketName): Promise<number> {
    return (await this.#first(name)) ?? 0
  }

  /** When the first file of a bucket was written; undefined when there is none. */
  async #first(name: BucketName): Promise<number | undefined> {
    for await (const [entry] of this.#files.list({ prefix: `${name}/`, limit: 1 }))
      return entry !== undefined && typeof entry !== 'string' ? entry.writtenAtMs : undefined
    return undefined
  }
}

function markerOf(name: BucketName): PathName {
  return `${MARKERS}${name}` as PathName
}

async function* empty(): AsyncGenerator<Uint8Array> {}

export function noSuchBucket(): S3Error {
  return new S3Error('NoSuchBucket', 'The specified bucket does not exist.')
}
