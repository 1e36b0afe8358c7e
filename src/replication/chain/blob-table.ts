/**
 * The bodies on this disk as the machine knows them, and finds those that go by themselves without a walk over all
 * of them: what a write has replaced is asked for at each acknowledgement.
 */
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import type { BlobRef } from './messages.ts'

/** A body that is on this disk. Staged ones expire; the others are named by a record, or were until `replacedBy`. */
export interface BlobState {
  readonly blob: BlobRef
  readonly stagedUntilMs: number | undefined
  /** The write that took the body's place: once that is acknowledged, nobody can need the body. */
  readonly replacedBy: { readonly path: PathName; readonly version: Version } | undefined
}

export class BlobTable extends Map<BlobId, BlobState> {
  readonly #staged = new Set<BlobId>()
  readonly #replaced = new Map<PathName, Set<BlobId>>()

  static of(blobs: Iterable<readonly [BlobId, BlobState]>): BlobTable {
    const table = new BlobTable()
    for (const [id, state] of blobs) table.set(id, state)
    return table
  }

  override set(id: BlobId, state: BlobState): this {
    this.#unlist(id)
    const { stagedUntilMs, replacedBy } = state
    if (stagedUntilMs !== undefined) this.#staged.add(id)
    if (replacedBy !== undefined) {
      const { path } = replacedBy
      this.#replaced.set(path, (this.#replaced.get(path) ?? new Set()).add(id))
    }
    return super.set(id, state)
  }

  override delete(id: BlobId): boolean {
    this.#unlist(id)
    return super.delete(id)
  }

  override clear(): void {
    this.#staged.clear()
    this.#replaced.clear()
    super.clear()
  }

  /** The bodies that writes at a path have replaced. */
  replacedAt(path: PathName): readonly BlobId[] {
    const ids = this.#replaced.get(path)
    return ids === undefined ? NONE : [...ids]
  }

  /** The bodies that go by themselves: staged, or replaced. */
  transient(): readonly BlobId[] {
    return [...this.#staged, ...[...this.#replaced.values()].flatMap(ids => [...ids])]
  }

  get hasTransient(): boolean {
    return this.#staged.size > 0 || this.#replaced.size > 0
  }

  #unlist(id: BlobId): void {
    this.#staged.delete(id)
    const path = this.get(id)?.replacedBy?.path
    const ids = path === undefined ? undefined : this.#replaced.get(path)
    if (path === undefined || ids === undefined) return
    ids.delete(id)
    if (ids.size === 0) this.#replaced.delete(path)
  }
}

const NONE: readonly BlobId[] = []
