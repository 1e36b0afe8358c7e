/**
 * The names of trashed versions. A name says all that is known of a version beside its record, so that the list of names in a
 * record is the whole index of its trash, and every replica makes the same trashed version of the same record.
 */
import { TRASH_NAME_LENGTH } from '../ring/trash-path.ts'
import type { Version } from './record.ts'

/**
 * Hexadecimal digits of fixed width: the version of the file (epoch 8, seq 14), that of the write that replaced it (the same), the wall clock of its
 * head (12) and the time of its range (12), both in ms; then `r` for removed or `o` for overwritten. Text order is the order of the versions.
 */
export type TrashName = string & { readonly brand: 'TrashName' }

export interface TrashFacts {
  /** Of the file, as in its ETag. */
  readonly version: Version
  /** Of the write that removed or replaced it. */
  readonly by: Version
  /** Wall clock of the head, ms since 1970; for people. */
  readonly atMs: number
  /** The time of the range, ms; what the age is measured by. */
  readonly rangeMs: number
  readonly wasRemoved: boolean
}

const PATTERN = /^[0-9a-f]{68}[or]$/

export function isTrashName(value: unknown): value is TrashName {
  return typeof value === 'string' && value.length === TRASH_NAME_LENGTH && PATTERN.test(value)
}

export function trashNameOf({ version, by, atMs, rangeMs, wasRemoved }: TrashFacts): TrashName {
  const digits = `${textOf(version)}${textOf(by)}${hex(atMs, 12)}${hex(rangeMs, 12)}`
  return `${digits}${wasRemoved ? 'r' : 'o'}` as TrashName
}

export function trashFactsOf(name: TrashName): TrashFacts {
  return {
    version: versionOf(name.slice(0, 22)),
    by: versionOf(name.slice(22, 44)),
    atMs: Number.parseInt(name.slice(44, 56), 16),
    rangeMs: Number.parseInt(name.slice(56, 68), 16),
    wasRemoved: name.endsWith('r'),
  }
}

function textOf({ epoch, seq }: Version): string {
  return hex(epoch, 8) + hex(seq, 14)
}

function versionOf(text: string): Version {
  return { epoch: Number.parseInt(text.slice(0, 8), 16), seq: Number.parseInt(text.slice(8), 16) }
}

/** A clock before 1970 counts as 1970. */
function hex(value: number, digits: number): string {
  const whole = Math.min(16 ** digits - 1, Math.max(0, Math.floor(value)))
  return whole.toString(16).padStart(digits, '0')
}
