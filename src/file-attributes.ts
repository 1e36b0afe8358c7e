/**
 * What of a file of a file system travels beside its bytes, as user metadata: its mode, its modification time and what a
 * symbolic link leads to. The command line and the archives of the HTTP endpoints write and read the same. `mtime` is written
 * as rclone writes it, in seconds with nine decimals.
 */
import type { BigIntStats } from 'node:fs'

export interface Attributes {
  /** Permission bits. Those that give others the rights of the owner are neither stored nor set. */
  readonly mode: number
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint
}

type Meta = Readonly<Record<string, string>>

/** The media types of what is no file, as freedesktop.org's shared MIME database names them. */
export const LINK_MEDIA_TYPE = 'inode/symlink'
export const FOLDER_MEDIA_TYPE = 'inode/directory'

/** What the store has at a path: a file, or what stands for a link or a folder. */
export function kindOfStored(
  size: number,
  mediaType: string,
  linkTarget: string | undefined,
): 'file' | 'link' | 'folder' {
  if (size === 0 && linkTarget !== undefined) return 'link'
  return size === 0 && mediaType === FOLDER_MEDIA_TYPE ? 'folder' : 'file'
}

const PERMISSIONS = 0o777
const NS_PER_SECOND = 1_000_000_000n

/** Times are set in seconds as a double, which can't tell less than this apart, ns. */
const TIME_GRAIN_NS = 1000n

export function attributesOf({ mode, mtimeNs }: Pick<BigIntStats, 'mode' | 'mtimeNs'>): Attributes {
  return { mode: Number(mode) & PERMISSIONS, mtimeNs }
}

export function metaOfAttributes({ mode, mtimeNs }: Attributes): Record<string, string> {
  const abs = mtimeNs < 0n ? -mtimeNs : mtimeNs
  const decimals = String(abs % NS_PER_SECOND).padStart(9, '0')
  return {
    mode: mode.toString(8).padStart(4, '0'),
    mtime: `${mtimeNs < 0n ? '-' : ''}${abs / NS_PER_SECOND}.${decimals}`,
  }
}

/** What metadata says; nothing of it is trusted to be there, or to be well-formed. */
export function attributesInMeta(meta: Meta = {}): Partial<Attributes> {
  const mode = /^0?[0-7]{3}$/.exec(meta.mode ?? '') && Number.parseInt(meta.mode as string, 8)
  const [, sign, seconds, decimals = ''] = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?$/.exec(meta.mtime ?? '') ?? []
  const ns =
    seconds === undefined ? undefined : BigInt(seconds) * NS_PER_SECOND + BigInt(decimals.padEnd(9, '0'))
  return {
    ...(typeof mode === 'number' && { mode }),
    ...(ns !== undefined && { mtimeNs: sign === '-' ? -ns : ns }),
  }
}

export function isSameTime(a: bigint | undefined, b: bigint | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (a > b ? a - b : b - a) <= TIME_GRAIN_NS
}

/** Whether what is there has what is said of it already; what is not said does not differ. */
export function isAsSaid(there: Attributes, said: Partial<Attributes>): boolean {
  return (said.mode ?? there.mode) === there.mode && isSameTime(said.mtimeNs ?? there.mtimeNs, there.mtimeNs)
}

/** The target of a link as a value of metadata: bytes that no header field carries are percent-encoded. */
export function encodeTarget(target: Uint8Array): string {
  let text = ''
  for (const byte of target) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x25
    text += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

/** @throws Error when it is no target of a link. */
export function decodeTarget(text: string): Buffer {
  if (text === '' || !/^(?:%[0-9A-F]{2}|[!-$&-~])+$/.test(text) || text.includes('%00'))
    throw new Error('what it says of the target of the link makes no sense')
  return Buffer.from(
    text.replace(/%([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    'latin1',
  )
}
