/**
 * The checksums of S3: which there are, how they are computed as a body passes, and which of them a request
 * announces in its headers.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { Crc32c } from '@aws-crypto/crc32c'
import { Crc64Nvme } from '@aws-sdk/crc64-nvme'
import { S3Error } from './errors.ts'

/** A checksum that is computed piece by piece. */
interface Running {
  update(piece: Uint8Array): void
  digest(): Uint8Array
}

class RunningCrc32 implements Running {
  #value = 0

  update(piece: Uint8Array): void {
    this.#value = crc32(piece, this.#value)
  }

  digest(): Uint8Array {
    return bigEndian(this.#value)
  }
}

class RunningCrc32c implements Running {
  readonly #crc = new Crc32c()

  update(piece: Uint8Array): void {
    this.#crc.update(piece)
  }

  digest(): Uint8Array {
    return bigEndian(this.#crc.digest())
  }
}

/** The library takes and gives the value as a promise of bytes, and the bytes at once. */
class RunningCrc64Nvme implements Running {
  readonly #crc = new Crc64Nvme()
  #digest: Uint8Array | undefined

  update(piece: Uint8Array): void {
    this.#crc.update(piece)
  }

  digest(): Uint8Array {
    return this.#digest ?? Buffer.alloc(0)
  }

  /** Must be waited for before `digest`. */
  async finish(): Promise<void> {
    this.#digest = await this.#crc.digest()
  }
}

function bigEndian(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

/** Each algorithm with the bytes of its value. */
export const CHECKSUMS = {
  CRC32: { bytes: 4, start: () => new RunningCrc32() as Running },
  CRC32C: { bytes: 4, start: () => new RunningCrc32c() as Running },
  CRC64NVME: { bytes: 8, start: () => new RunningCrc64Nvme() as Running },
  SHA1: { bytes: 20, start: () => createHash('sha1') as Running },
  SHA256: { bytes: 32, start: () => createHash('sha256') as Running },
} as const

export type Algorithm = keyof typeof CHECKSUMS

export const ALGORITHMS = Object.keys(CHECKSUMS) as readonly Algorithm[]

/** `x-amz-checksum-crc32` and so on. */
export function checksumHeader(algorithm: Algorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`
}

/** What S3 calls it in XML: `ChecksumCRC32`. */
export function checksumElement(algorithm: Algorithm): string {
  return `Checksum${algorithm}`
}

/** A value in base64, and how it was made. */
export interface Checksum {
  readonly algorithm: Algorithm
  readonly value: string
}

/** True when text is a value of the algorithm in base64. */
export function isChecksum(algorithm: Algorithm, text: string): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === CHECKSUMS[algorithm].bytes && bytes.toString('base64') === text
}

/** True for the checksum that a body of no bytes has. */
export function isOfNothing({ algorithm, value }: Checksum): boolean {
  const isHash = algorithm === 'SHA1' || algorithm === 'SHA256'
  const bytes = isHash ? CHECKSUMS[algorithm].start().digest() : Buffer.alloc(CHECKSUMS[algorithm].bytes)
  return Buffer.from(bytes).toString('base64') === value
}

/** @throws S3Error InvalidRequest for a word that is no algorithm. */
export function algorithmOf(text: string): Algorithm {
  const algorithm = ALGORITHMS.find(one => one === text.toUpperCase())
  if (algorithm !== undefined) return algorithm
  throw new S3Error('InvalidRequest', `The checksum algorithm "${text.slice(0, 40)}" is not known.`)
}

/** What a request says of its body's checksums. */
export interface Announced {
  /** In a header; undefined when none is. */
  readonly checksum: Checksum | undefined
  /** In the trailer: the value comes after the body. */
  readonly trailing: Algorithm | undefined
  /** 16 bytes; undefined without Content-MD5. */
  readonly md5: Uint8Array | undefined
}

/**
 * The checksums that headers announce. Several of one request are refused, as S3 does.
 * @param header the value of a header, or of the query of a presigned URL.
 * @throws S3Error InvalidRequest, InvalidDigest.
 */
export function announcedChecksums(header: (name: string) => string | undefined): Announced {
  const found = ALGORITHMS.flatMap(algorithm => {
    const value = header(checksumHeader(algorithm))
    return value === undefined ? [] : [{ algorithm, value }]
  })
  const [checksum, second] = found
  if (second !== undefined)
    throw new S3Error(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple are not allowed.',
    )
  if (checksum !== undefined && !isChecksum(checksum.algorithm, checksum.value))
    throw new S3Error('InvalidRequest', `Value for ${checksumHeader(checksum.algorithm)} header is invalid.`)
  return { checksum, trailing: trailingOf(header, checksum), md5: md5Of(header('content-md5')) }
}

function trailingOf(
  header: (name: string) => string | undefined,
  checksum: Checksum | undefined,
): Algorithm | undefined {
  const named = header('x-amz-trailer')
  if (named === undefined) return undefined
  const algorithm = ALGORITHMS.find(one => checksumHeader(one) === named.trim().toLowerCase())
  if (algorithm === undefined || checksum !== undefined)
    throw new S3Error('InvalidRequest', 'The value specified in the x-amz-trailer header is not supported.')
  return algorithm
}

function md5Of(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === 16 && bytes.toString('base64') === text.trim()) return bytes
  throw new S3Error('InvalidDigest', 'The Content-MD5 you specified is not valid.')
}

/** Checksums of one body, computed as it passes. */
export class BodyChecksums {
  readonly #algorithm: Algorithm | undefined
  readonly #running: Running | undefined
  readonly #md5: { readonly running: ReturnType<typeof createHash>; readonly right: Uint8Array } | undefined

  /** `algorithm` is computed; the MD5 only when one was announced. */
  constructor(algorithm: Algorithm | undefined, md5: Uint8Array | undefined) {
    this.#algorithm = algorithm
    this.#running = algorithm && CHECKSUMS[algorithm].start()
    this.#md5 = md5 && { running: createHash('md5'), right: md5 }
  }

  /** The same bytes, on their way. */
  async *passing(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of body) {
      this.#running?.update(piece)
      this.#md5?.running.update(piece)
      yield piece
    }
  }

  /** The checksum of all that has passed. Once. @throws S3Error BadDigest when it has another MD5 than announced. */
  async finish(): Promise<Checksum | undefined> {
    if (this.#md5 !== undefined && !this.#md5.running.digest().equals(this.#md5.right))
      throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.')
    if (this.#algorithm === undefined || this.#running === undefined) return undefined
    if (this.#running instanceof RunningCrc64Nvme) await this.#running.finish()
    return { algorithm: this.#algorithm, value: Buffer.from(this.#running.digest()).toString('base64') }
  }
}

/** @throws S3Error BadDigest when a checksum is not the one that was announced. */
export function refuseOther(computed: Checksum | undefined, announced: string | undefined): void {
  if (announced === undefined || computed?.value === announced) return
  throw new S3Error(
    'BadDigest',
    `The ${computed?.algorithm} you specified did not match the calculated checksum.`,
  )
}
