/**
 * The noun of the store: a file's record. Open to every layer; holds no logic but the ETag.
 */
import type { PathName } from '../ring/path-name.ts'

/** Orders the writes of one path: by epoch, then by seq. A later write of a path has a greater version. */
export interface Version {
  readonly epoch: number
  readonly seq: number
}

/** Names one version of one file; quoted as in RFC 9110, section 8.8.3. */
export type ETag = string & { readonly brand: 'ETag' }

/** Names an immutable body that is too large to live inside its record: 32 hexadecimal digits. */
export type BlobId = string & { readonly brand: 'BlobId' }

/** Bodies up to this many bytes live inside the record; larger ones are blob files. */
export const INLINE_BYTES_MAX = 64 * 1024

/** A body has one CRC-32 for each block of this many bytes (the last may be shorter), checked before it is sent. */
export const BLOCK_BYTES = 1024 * 1024

/** The bytes of a file, wherever they are kept. An empty body is inline and has no block. */
export interface Body {
  /** Bytes. */
  readonly size: number
  /** 64 hexadecimal digits. */
  readonly sha256: string
  /** CRC-32 of each block, in order. */
  readonly blockChecksums: readonly number[]
  readonly content: { readonly inline: Uint8Array } | { readonly blobId: BlobId }
}

/** What a user says of a file beside its bytes. */
export interface FileMeta {
  readonly mediaType: string
  /** User metadata, in the order of the names; absent when there is none. See user-meta.ts. */
  readonly user?: UserMeta | undefined
}

/** Names and values that a user gives a file beside its bytes. */
export type UserMeta = readonly (readonly [name: string, value: string])[]

/** A file: its path, the version of its last write, its bytes and what was said of it. */
export interface FileRecord {
  readonly path: PathName
  readonly version: Version
  readonly body: Body
  readonly meta: FileMeta
  /** Wall clock of the node that took the write, ms since 1970. */
  readonly writtenAtMs: number
}

/**
 * The ETag names the version, so that a file which went from A to B and back to A is seen to have changed. The
 * beginning of the hash keeps a version of another network (a wiped data directory starts again at 1) from matching.
 */
export function etagOf(record: {
  readonly version: Version
  readonly body: { readonly sha256: string }
}): ETag {
  const { epoch, seq } = record.version
  return `"${epoch}.${seq}-${record.body.sha256.slice(0, 8)}"` as ETag
}
