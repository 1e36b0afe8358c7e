/**
 * The check of everything that one node keeps: every file is read from its first to its last byte, each block against its
 * checksum and the whole against its SHA-256.
 */
import type { Clock } from '../env.ts'
import { type ErrorCode, errorCode } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import { hashedBody } from '../storage/checked-blocks.ts'
import { etagOf, type FileRecord } from '../storage/record.ts'
import type { ListEntry, Storage } from '../storage/storage.ts'
import { type ListSource, listBatches } from './listing.ts'

/** A file whose bytes are not the ones that were stored. */
export interface DamagedFile {
  readonly path: PathName
  readonly code: ErrorCode
  readonly message: string
}

/** How far the check has come; with `done`, it has ended. */
export interface VerificationProgress {
  readonly files: number
  readonly bytes: number
  readonly damaged: number
  readonly done: boolean
}

/** Between two words about progress, ms: often enough that no connection counts as dead. */
const PROGRESS_MS = 1000

/**
 * Reads everything, one file after the other in the order of a list, and tells what is damaged. Files may come and go
 * meanwhile; one that is replaced while it is read is checked in its new version. The last word is progress with `done`.
 */
export async function* verifyFiles(components: {
  readonly storage: Storage
  readonly clock: Clock
}): AsyncGenerator<DamagedFile | VerificationProgress> {
  const { storage, clock } = components
  const count = { files: 0, bytes: 0, damaged: 0 }
  let saidMs = clock.monotonicMs()
  for await (const batch of listBatches(ownFiles(storage), { prefix: '', limit: Number.POSITIVE_INFINITY })) {
    for (const listed of batch) {
      if (typeof listed === 'string') continue
      const check = checkFile(storage, listed.path)
      let step = await check.next()
      for (; !step.done; step = await check.next()) {
        count.bytes += step.value
        if (clock.monotonicMs() - saidMs < PROGRESS_MS) continue
        saidMs = clock.monotonicMs()
        yield { ...count, done: false }
      }
      count.files += 1
      if (step.value === undefined) continue
      count.damaged += 1
      yield step.value
    }
  }
  yield { ...count, done: true }
}

/** Yields how many bytes passed; returns what is wrong. */
async function* checkFile(storage: Storage, path: PathName): AsyncGenerator<number, DamagedFile | undefined> {
  let record = await storage.find(path)
  while (record !== undefined) {
    try {
      yield* hashedBody(storage, record)
      return undefined
    } catch (error) {
      const code = errorCode(error)
      if (code !== 'CORRUPT' && code !== 'FILE_NOT_FOUND') throw error
      const now: FileRecord | undefined = await storage.find(path)
      const replaced = now === undefined || etagOf(now) !== etagOf(record)
      if (!replaced) return { path, code: 'CORRUPT', message: (error as Error).message }
      record = now
    }
  }
  return undefined
}

/** The files that this node keeps itself, as a list reads them. */
function ownFiles(storage: Storage): ListSource {
  return {
    async list({ prefix, after, limit }) {
      const entries: ListEntry[] = []
      for (const entry of storage.list(prefix, after)) {
        entries.push(entry)
        if (entries.length === limit) break
      }
      return entries
    },
  }
}
