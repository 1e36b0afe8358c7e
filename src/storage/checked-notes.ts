/**
 * Notes with a checksum of their own, as both ways to keep bytes write them: a bit that has turned on the disk is found, never believed
 * (docs/decisions/0320-notes-have-a-checksum.md).
 */
import { Buffer } from 'node:buffer'
import { crc32 } from './crc32.ts'

/** The first byte of notes with a checksum. MessagePack never uses it, so that notes without one are told from these. */
const CHECKED = 0xc1
const CHECKSUM_BYTES = 4
const HEAD_BYTES = 1 + CHECKSUM_BYTES

export function withChecksum(content: Uint8Array): Buffer {
  const checked = Buffer.allocUnsafe(HEAD_BYTES + content.length)
  checked.writeUInt8(CHECKED, 0)
  checked.writeUInt32LE(crc32(content), 1)
  checked.set(content, HEAD_BYTES)
  return checked
}

/** Whether notes have a checksum, which may be wrong. */
export function isChecked(notes: Uint8Array): boolean {
  return notes[0] === CHECKED
}

export function isWholeChecked(notes: Uint8Array): boolean {
  if (!isChecked(notes) || notes.length < HEAD_BYTES) return false
  const checksum = Buffer.from(notes.buffer, notes.byteOffset, notes.length).readUInt32LE(1)
  return crc32(notes.subarray(HEAD_BYTES)) === checksum
}

export function contentOfChecked(notes: Uint8Array): Uint8Array {
  return notes.subarray(HEAD_BYTES)
}
