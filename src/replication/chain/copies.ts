/**
 * The nouns of a copy of a range: what is compared and gathered, for which installation, and what is handed out with the records.
 */
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'
import type { NodeId, Source, View } from '../../views/view.ts'
import type { ChainRecord } from './chain-record.ts'
import type { Tag, TransferPurpose } from './messages.ts'

/** A comparison under way, at the one that wants to become equal. */
export interface Transfer {
  readonly tag: Tag
  readonly purpose: TransferPurpose
  readonly view: View
  readonly source: Source
  readonly from: NodeId
  /** Prefixes still to be compared. */
  todo: string[]
  asked: string[]
  /** What will be put in place at the end; undefined removes. A pre-copy applies at once instead. */
  readonly changes: Map<PathName, ChainRecord | undefined>
  /** What the trash of these records names, as far as it was sent. */
  readonly trash: Map<PathName, ChainRecord>
  /** Messages so far; the timer looks whether it has moved. */
  steps: number
}

/** An installation at a head, or at a replica below it. */
export interface Installation {
  readonly search: { readonly source: number; readonly replica: number }
  readonly transfer: Tag | undefined
}

/** What is handed out beside the records. */
export interface HandedOut {
  readonly floor: Version
  readonly seq: number
  readonly active: boolean
  /** For how long the range has been served, ms. */
  readonly timeMs?: number | undefined
}
