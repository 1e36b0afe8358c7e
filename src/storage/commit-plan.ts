/**
 * Owns what a change means: whether its condition holds, and the record that it leaves. Pure; the storages differ only
 * in how they make it durable.
 */
import { StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import { etagOf, type FileRecord, type Version } from './record.ts'
import type { Change, Committed, Condition } from './storage.ts'

/** What a change does to the records. */
export interface CommitPlan extends Committed {
  /** The record that leaves its path because it moves; only for a `move`. */
  readonly source: FileRecord | undefined
}

/** Stamps the record that a change leaves. `version` is greater than every one before. */
export interface Stamp {
  readonly version: Version
  readonly writtenAtMs: number
}

/** The paths that a change reads and writes. */
export function pathsOf(change: Change): PathName[] {
  return change.kind === 'move' ? [change.from, change.path] : [change.path]
}

/** @throws StoreError as Storage.commit. */
export function planCommit(
  change: Change,
  stamp: Stamp,
  current: (path: PathName) => FileRecord | undefined,
): CommitPlan {
  const { path } = change
  if (change.kind === 'move' && change.from === path) {
    throw new StoreError('INVALID_REQUEST', 'A file cannot be moved onto itself.', { path })
  }
  const source = change.kind === 'move' ? current(change.from) : undefined
  if (change.kind === 'move' && source === undefined) throw notFound(change.from)
  const previous = current(path)
  checkCondition(change.condition, path, previous)
  switch (change.kind) {
    case 'put': {
      const { size, sha256, blockChecksums, content } = change.body
      const body = { size, sha256, blockChecksums, content }
      return { record: { path, ...stamp, body, meta: change.meta }, previous, source }
    }
    case 'remove':
      if (previous === undefined) throw notFound(path)
      return { record: undefined, previous, source }
    case 'move': {
      const { body, meta } = source as FileRecord
      return { record: { path, ...stamp, body, meta }, previous, source }
    }
  }
}

function checkCondition(condition: Condition, path: PathName, previous: FileRecord | undefined): void {
  if (condition === 'none') return
  if (condition === 'absent') {
    if (previous !== undefined) throw new StoreError('FILE_EXISTS', 'A file with this path exists.', { path })
  } else if (condition === 'exists') {
    if (previous === undefined) throw notFound(path)
  } else if (previous === undefined || !condition.etags.includes(etagOf(previous))) {
    const message = 'The file is not in the version that the request names.'
    throw new StoreError('PRECONDITION_FAILED', message, { path })
  }
}

export function notFound(path: PathName): StoreError {
  return new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path })
}
