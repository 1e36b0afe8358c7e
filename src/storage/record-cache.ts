/**
 * Owns the records that were read lately, decoded, so that what everybody asks for is not looked up, copied and decoded
 * for each of them. It holds what is durable and nothing else: a path that is being changed is not cached at all.
 *
 * Two generations: a record that is asked for moves to the young one; when that is full the old one is dropped and the
 * young one becomes the old. That keeps what is in use, without a list to reorder at each hit.
 */
import { Buffer } from 'node:buffer'
import type { PathName } from '../ring/path-name.ts'
import type { FileRecord } from './record.ts'

/** What a record weighs beside its inline bytes: objects, strings and the allocation of the bytes themselves. */
const RECORD_BYTES = 1024

/** Paths remembered to have been asked for once; about 100 bytes each. */
const ASKED_MAX = 16_384

export class RecordCache {
  readonly #generationBytesMax: number
  readonly #changing = new Set<PathName>()
  readonly #asked = new Set<PathName>()
  #young = new Map<PathName, FileRecord>()
  #old = new Map<PathName, FileRecord>()
  #youngBytes = 0

  /** `bytesMax` limits the memory of everything that is kept, both generations together. */
  constructor(init: { readonly bytesMax: number }) {
    this.#generationBytesMax = init.bytesMax / 2
  }

  /** The record at a path; `load` looks it up when it is not kept, and must not wait. */
  find(path: PathName, load: () => FileRecord | undefined): FileRecord | undefined {
    const young = this.#young.get(path)
    if (young) return young
    const old = this.#old.get(path)
    if (old) {
      this.#old.delete(path)
      return this.#keep(path, old)
    }
    const record = load()
    if (!record || this.#changing.has(path) || !this.#askedBefore(path)) return record
    return this.#keep(path, withOwnBytes(record))
  }

  /** From now on until the result is called, these paths are looked up each time. One change of a path at a time. */
  changing(paths: readonly PathName[]): () => void {
    for (const path of paths) {
      this.#changing.add(path)
      const young = this.#young.get(path)
      if (young) this.#youngBytes -= weightOf(young)
      this.#young.delete(path)
      this.#old.delete(path)
    }
    return () => {
      for (const path of paths) this.#changing.delete(path)
    }
  }

  /**
   * A record is kept when it is asked for a second time: to keep one costs as much as two look-ups, which a walk over
   * everything would pay for nothing.
   */
  #askedBefore(path: PathName): boolean {
    if (this.#asked.delete(path)) return true
    if (this.#asked.size >= ASKED_MAX) this.#asked.clear()
    this.#asked.add(path)
    return false
  }

  #keep(path: PathName, record: FileRecord): FileRecord {
    if (this.#youngBytes + weightOf(record) > this.#generationBytesMax) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(path, record)
    this.#youngBytes += weightOf(record)
    return record
  }
}

function weightOf({ body }: FileRecord): number {
  return RECORD_BYTES + ('inline' in body.content ? body.size : 0)
}

/** Small buffers share their memory with others; one that is kept would keep all of it. */
function withOwnBytes(record: FileRecord): FileRecord {
  const { content } = record.body
  if (!('inline' in content)) return record
  const inline = Buffer.allocUnsafeSlow(content.inline.length)
  inline.set(content.inline)
  return { ...record, body: { ...record.body, content: { inline } } }
}
