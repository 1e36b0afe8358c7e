/**
 * Owns the walk that proves every stored byte: `altered-chord verify` runs it.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { errorCode, StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import type { FileRecord } from './record.ts'
import type { Storage } from './storage.ts'

/** What was found of one file; `fault` is undefined when all its bytes are as they were written. */
export interface VerifiedFile {
  readonly path: PathName
  /** Bytes. */
  readonly size: number
  /** CORRUPT, with a sentence that says what is wrong. */
  readonly fault: StoreError | undefined
}

/**
 * Reads every file in the order of the list and checks its block checksums and its SHA-256, one file at a time, in the
 * memory of two blocks. A file that is replaced meanwhile is checked in the version that was found; one that is removed
 * is left out.
 * @throws the signal's reason; StoreError UNAVAILABLE when the storage closes.
 */
export async function* verifyFiles(storage: Storage, signal: AbortSignal): AsyncGenerator<VerifiedFile> {
  for (const { path, size } of storage.list('')) {
    signal.throwIfAborted()
    try {
      const record = await storage.find(path)
      if (!record) continue
      yield { path, size: record.body.size, fault: await faultOf(storage, record, signal) }
    } catch (error) {
      const code = errorCode(error)
      if (code === 'FILE_NOT_FOUND') continue
      if (code !== 'CORRUPT') throw error
      yield { path, size, fault: error as StoreError }
    }
  }
}

async function faultOf(
  storage: Storage,
  record: FileRecord,
  signal: AbortSignal,
): Promise<StoreError | undefined> {
  const sha256 = createHash('sha256')
  const content = await storage.read(record)
  if (content instanceof Readable) {
    for await (const chunk of content) {
      signal.throwIfAborted()
      sha256.update(chunk)
    }
  } else sha256.update(content)
  if (sha256.digest('hex') === record.body.sha256) return undefined
  return new StoreError('CORRUPT', 'The stored bytes do not have the SHA-256 of the file.', {
    path: record.path,
  })
}
