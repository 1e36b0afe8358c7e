/**
 * The bytes of records and lines of the list as LMDB keeps them. All numbers are little-endian.
 *
 * A record's head carries its own CRC-32, so that a damaged one is CORRUPT rather than another file's hash or size; an
 * inline body is covered by its block checksum (docs/decisions/0010-storage-on-disk.md has the layout's reasons).
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import { type Identifier, identifierOfPath } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import { crc32 } from './crc32.ts'
import { type BlobId, type Body, etagOf, type FileRecord } from './record.ts'
import type { ListEntry } from './storage.ts'
import { decodeUserMeta, encodeUserMeta } from './user-meta.ts'

const IDENTIFIER_BYTES = 20
const SHA256_BYTES = 32
const BLOB_ID_BYTES = 16

// Where each field of a record's head begins:
//
//   0 CRC-32 of the head from byte 4 on    4 length of the head    8 kind    12 epoch     (u32 each)
//   16 sequence number                     24 time of the write    32 size                (f64 each)
//   40 SHA-256 (32 bytes)                  72 length of the media type (u16)
//
// Then the media type, user metadata when there is some (its length first, u16), the id of the blob (16 bytes), and a checksum
// for each block (u32). After the head: the body when it is small, and the notes of replication.
const HEAD_CRC = 0
const HEAD_BYTES = 4
const KIND = 8
const EPOCH = 12
const SEQ = 16
const WRITTEN_AT = 24
const SIZE = 32
const SHA256 = 40
const MEDIA_TYPE_BYTES = SHA256 + SHA256_BYTES
const MEDIA_TYPE = MEDIA_TYPE_BYTES + 2

const INLINE = 0
const BLOB = 1
/** A bit of KIND. Format 1 of the data directory did not have it. */
const HAS_USER_META = 2

/** The key of a record: its position on the ring, then its path, so that an arc is one run of keys. */
export function recordKey(path: PathName, position: Identifier = identifierOfPath(path)): Buffer {
  const key = Buffer.allocUnsafe(IDENTIFIER_BYTES + Buffer.byteLength(path))
  key.write(position, 0, 'hex')
  key.write(path, IDENTIFIER_BYTES, 'utf8')
  return key
}

export function pathOfRecordKey(key: Buffer): PathName {
  return key.toString('utf8', IDENTIFIER_BYTES) as PathName
}

export function positionOfRecordKey(key: Buffer): Identifier {
  return key.toString('hex', 0, IDENTIFIER_BYTES) as Identifier
}

/** `notes` follow the body. */
export function encodeRecord(record: FileRecord, notes: Uint8Array = NO_NOTES): Buffer {
  const { version, body, meta, writtenAtMs } = record
  const { content, blockChecksums } = body
  const inline = 'inline' in content ? content.inline : undefined
  const mediaTypeBytes = Buffer.byteLength(meta.mediaType)
  const user = meta.user && encodeUserMeta(meta.user)
  const userAt = MEDIA_TYPE + mediaTypeBytes
  const blobIdAt = userAt + (user === undefined ? 0 : 2 + user.length)
  const checksumsAt = blobIdAt + (inline ? 0 : BLOB_ID_BYTES)
  const headBytes = checksumsAt + 4 * blockChecksums.length
  const value = Buffer.allocUnsafe(headBytes + (inline?.length ?? 0) + notes.length)
  value.writeUInt32LE(headBytes, HEAD_BYTES)
  value.writeUInt32LE((inline ? INLINE : BLOB) | (user === undefined ? 0 : HAS_USER_META), KIND)
  value.writeUInt32LE(version.epoch, EPOCH)
  value.writeDoubleLE(version.seq, SEQ)
  value.writeDoubleLE(writtenAtMs, WRITTEN_AT)
  value.writeDoubleLE(body.size, SIZE)
  value.write(body.sha256, SHA256, 'hex')
  value.writeUInt16LE(mediaTypeBytes, MEDIA_TYPE_BYTES)
  value.write(meta.mediaType, MEDIA_TYPE, 'utf8')
  if (user !== undefined) value.set(user, value.writeUInt16LE(user.length, userAt))
  if ('blobId' in content) value.write(content.blobId, blobIdAt, 'hex')
  for (const [i, checksum] of blockChecksums.entries()) value.writeUInt32LE(checksum, checksumsAt + 4 * i)
  value.writeUInt32LE(crc32(value.subarray(HEAD_BYTES, headBytes)), HEAD_CRC)
  if (inline) value.set(inline, headBytes)
  value.set(notes, value.length - notes.length)
  return value
}

/**
 * The record that `value` holds; the bytes of an inline body are copied out of it.
 * @throws StoreError CORRUPT when its head is damaged.
 */
export function decodeRecord(path: PathName, value: Buffer): FileRecord {
  const headBytes = value.length < MEDIA_TYPE ? 0 : value.readUInt32LE(HEAD_BYTES)
  const whole = MEDIA_TYPE <= headBytes && headBytes <= value.length
  if (!whole || crc32(value.subarray(HEAD_BYTES, headBytes)) !== value.readUInt32LE(HEAD_CRC)) {
    throw new StoreError('CORRUPT', 'The stored record of the file fails its checksum.', { path })
  }
  const kind = value.readUInt32LE(KIND)
  const userAt = MEDIA_TYPE + value.readUInt16LE(MEDIA_TYPE_BYTES)
  const hasUser = (kind & HAS_USER_META) !== 0
  const blobIdAt = hasUser ? userAt + 2 + value.readUInt16LE(userAt) : userAt
  const inline = (kind & BLOB) === INLINE
  const checksumsAt = blobIdAt + (inline ? 0 : BLOB_ID_BYTES)
  const blockChecksums: number[] = []
  for (let at = checksumsAt; at < headBytes; at += 4) blockChecksums.push(value.readUInt32LE(at))
  const content: Body['content'] = inline
    ? { inline: Buffer.from(value.subarray(headBytes, headBytes + value.readDoubleLE(SIZE))) }
    : { blobId: value.toString('hex', blobIdAt, checksumsAt) as BlobId }
  return {
    path,
    version: { epoch: value.readUInt32LE(EPOCH), seq: value.readDoubleLE(SEQ) },
    body: {
      size: value.readDoubleLE(SIZE),
      sha256: value.toString('hex', SHA256, MEDIA_TYPE_BYTES),
      blockChecksums,
      content,
    },
    meta: {
      mediaType: value.toString('utf8', MEDIA_TYPE, userAt),
      ...(hasUser && { user: decodeUserMeta(value.subarray(userAt + 2, blobIdAt)) }),
    },
    writtenAtMs: value.readDoubleLE(WRITTEN_AT),
  }
}

const NO_NOTES = new Uint8Array()

/** What follows the body in the value of a record. */
export function notesOfRecord(record: FileRecord, value: Buffer): Buffer {
  const inlineBytes = 'inline' in record.body.content ? record.body.size : 0
  return Buffer.from(value.subarray(value.readUInt32LE(HEAD_BYTES) + inlineBytes))
}

// A line of the list: epoch, seq, time, size, the beginning of the hash (for the ETag), the media type. Since format 2 of the
// data directory a zero byte, which no media type has, the whole hash and user metadata follow.
const LINE_SEQ = 4
const LINE_WRITTEN_AT = 12
const LINE_SIZE = 20
const LINE_SHA256 = 28
const LINE_MEDIA_TYPE = 32

export function encodeLine(record: FileRecord): Buffer {
  const { version, body, meta, writtenAtMs } = record
  const user = meta.user && encodeUserMeta(meta.user)
  const end = LINE_MEDIA_TYPE + Buffer.byteLength(meta.mediaType)
  const line = Buffer.allocUnsafe(end + 1 + SHA256_BYTES + (user?.length ?? 0))
  line.writeUInt32LE(version.epoch, 0)
  line.writeDoubleLE(version.seq, LINE_SEQ)
  line.writeDoubleLE(writtenAtMs, LINE_WRITTEN_AT)
  line.writeDoubleLE(body.size, LINE_SIZE)
  line.write(body.sha256.slice(0, 8), LINE_SHA256, 'hex')
  line.write(meta.mediaType, LINE_MEDIA_TYPE, 'utf8')
  line.writeUInt8(0, end)
  line.write(body.sha256, end + 1, 'hex')
  if (user !== undefined) line.set(user, end + 1 + SHA256_BYTES)
  return line
}

export function decodeLine(path: PathName, line: Buffer): ListEntry {
  const version = { epoch: line.readUInt32LE(0), seq: line.readDoubleLE(LINE_SEQ) }
  const sha256 = line.toString('hex', LINE_SHA256, LINE_MEDIA_TYPE)
  const zero = line.indexOf(0, LINE_MEDIA_TYPE)
  const end = zero === -1 ? line.length : zero
  const userAt = end + 1 + SHA256_BYTES
  return {
    path,
    size: line.readDoubleLE(LINE_SIZE),
    etag: etagOf({ version, body: { sha256 } }),
    mediaType: line.toString('utf8', LINE_MEDIA_TYPE, end),
    writtenAtMs: line.readDoubleLE(LINE_WRITTEN_AT),
    ...(zero !== -1 && { sha256: line.toString('hex', end + 1, userAt) }),
    ...(userAt < line.length && { user: decodeUserMeta(line.subarray(userAt)) }),
  }
}
