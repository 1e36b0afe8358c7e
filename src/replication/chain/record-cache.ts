/**
 * The records that were looked at lately, decoded, so that what everybody asks for is not looked up, copied and
 * decoded for each of them. That nothing is at a path is kept too. It holds what the store holds: whoever is about to
 * change a path has it forgotten first, and does not ask here until the store shows the change.
 *
 * Two generations: a record that is asked for moves to the young one; when that is full the old one is dropped and the
 * young one becomes the old. That keeps what is in use, without a list to reorder at each hit.
 */
import { Buffer } from 'node:buffer'
import type { PathName } from '../../ring/path-name.ts'
import type { ChainRecord } from './chain-record.ts'

/** What a record weighs beside its inline bytes: objects, strings and the allocation of the bytes themselves. */
const RECORD_BYTES = 2048

/** What each remembered write and each kept outcome adds to that. */
const DECIDED_BYTES = 200
const OUTCOME_BYTES = 500

/** And each name in the trash. */
const TRASH_NAME_BYTES = 100

/** That there is nothing weighs this, the path included. */
const ABSENCE_BYTES = 256

/** Paths remembered to have been asked for once; about 100 bytes each. */
const ASKED_MAX = 16_384

interface Entry {
  readonly path: PathName
  /** Undefined: nothing is there. */
  readonly record: ChainRecord | undefined
}

export class RecordCache {
  readonly #generationBytesMax: number
  readonly #asked = new Set<PathName>()
  #young = new Map<PathName, Entry>()
  #old = new Map<PathName, Entry>()
  #youngBytes = 0
  /** What was looked up last: one request looks at a path several times in a row. */
  #latest: Entry | undefined

  /** `bytesMax` limits the memory of everything that is kept, both generations together. */
  constructor(init: { readonly bytesMax: number }) {
    this.#generationBytesMax = init.bytesMax / 2
  }

  /** What is at a path; `load` looks it up when it is not kept. */
  find(path: PathName, load: () => ChainRecord | undefined): ChainRecord | undefined {
    const kept = this.peek(path)
    if (kept !== undefined) return kept.record
    const entry = { path, record: load() }
    this.#latest = this.#askedBefore(path) ? this.#keep(withOwnBytes(entry)) : entry
    return this.#latest.record
  }

  /** What is kept of a path, without a look-up. */
  peek(path: PathName): Entry | undefined {
    if (this.#latest?.path === path) return this.#latest
    const young = this.#young.get(path)
    if (young !== undefined) return young
    const old = this.#old.get(path)
    if (old === undefined) return undefined
    this.#old.delete(path)
    return this.#keep(old)
  }

  /** The path is about to be changed. */
  forget(path: PathName): void {
    if (this.#latest?.path === path) this.#latest = undefined
    const young = this.#young.get(path)
    if (young !== undefined) this.#youngBytes -= weightOf(young)
    this.#young.delete(path)
    this.#old.delete(path)
  }

  /**
   * A record is kept when it is looked up for a second time: to keep one costs as much as two look-ups, which a walk
   * over everything would pay for nothing.
   */
  #askedBefore(path: PathName): boolean {
    if (this.#asked.delete(path)) return true
    if (this.#asked.size >= ASKED_MAX) this.#asked.clear()
    this.#asked.add(path)
    return false
  }

  #keep(entry: Entry): Entry {
    const bytes = weightOf(entry)
    if (this.#youngBytes + bytes > this.#generationBytesMax) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(entry.path, entry)
    this.#youngBytes += bytes
    return entry
  }
}

function weightOf({ record }: Entry): number {
  if (record === undefined) return ABSENCE_BYTES
  const { body, history, outcomes, trash = [] } = record
  const inlineBytes = body !== undefined && 'inline' in body.content ? body.size : 0
  const remembered = DECIDED_BYTES * history.length + OUTCOME_BYTES * outcomes.length
  return RECORD_BYTES + inlineBytes + remembered + TRASH_NAME_BYTES * trash.length
}

/** Small buffers share their memory with others; one that is kept would keep all of it. */
function withOwnBytes(entry: Entry): Entry {
  const body = entry.record?.body
  if (entry.record === undefined || body === undefined || !('inline' in body.content)) return entry
  const inline = Buffer.allocUnsafeSlow(body.content.inline.length)
  inline.set(body.content.inline)
  return { path: entry.path, record: { ...entry.record, body: { ...body, content: { inline } } } }
}
