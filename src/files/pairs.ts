/**
 * Key-value pairs as a part of the store: each is one small file, written and read like any other, so all that the
 * store promises of files it promises of pairs.
 */
import { Buffer } from 'node:buffer'
import type { Readable } from 'node:stream'
import { errorCode, StoreError } from '../errors.ts'
import type { Written } from '../replication/replication.ts'
import type { FileService, FoundFile, WriteOptions } from './file-service.ts'
import { compactJson, type JsonText } from './json-text.ts'
import {
  type Key,
  keyOfPath,
  PAIR_MEDIA_TYPE,
  PAIR_PREFIX,
  type Pair,
  pathOfKey,
  VALUE_BYTES_MAX,
} from './key-values.ts'

/** A pair that is there, and the file that it is. */
export interface FoundPair {
  readonly value: JsonText
  readonly file: FoundFile
}

// A version can be replaced between finding and reading it; this often only if somebody replaces it in a tight loop.
const REPLACED_TRIES_MAX = 5

// Pairs of a list that are read at once, each from a node of its own: 4 MiB of memory at the worst.
const READ_AT_ONCE = 16

/** Stores a pair; what its key had before is replaced, unless `condition` forbids it. @throws as FileService.put. */
export function putPair(files: FileService, { key, value }: Pair, options: WriteOptions): Promise<Written> {
  const meta = { mediaType: PAIR_MEDIA_TYPE }
  return files.put(pathOfKey(key), bytesOf(value), { ...options, meta })
}

/**
 * The pair that a key has.
 * @throws StoreError FILE_NOT_FOUND, also when the file at its path holds no JSON value; CORRUPT, UNAVAILABLE.
 */
export async function getPair(files: FileService, key: Key): Promise<FoundPair> {
  const path = pathOfKey(key)
  const read = await readPair(files, key)
  if (read === undefined) throw noPair(key)
  if (read.value === undefined) {
    const message = `The file ${path} holds no JSON value of a pair; /get/${path} has its bytes.`
    throw new StoreError('FILE_NOT_FOUND', message, { path })
  }
  return { value: read.value, file: read.file }
}

/** @throws StoreError FILE_NOT_FOUND, PRECONDITION_FAILED, IDEMPOTENCY_KEY_REUSED. */
export async function removePair(files: FileService, key: Key, options: WriteOptions): Promise<Written> {
  try {
    return await files.remove(pathOfKey(key), options)
  } catch (error) {
    throw errorCode(error) === 'FILE_NOT_FOUND' ? noPair(key, error) : error
  }
}

/** Every pair, in the byte order of their paths. A live view, as a list of files is. @throws StoreError UNAVAILABLE, CORRUPT. */
export async function* allPairs(files: FileService): AsyncGenerator<Pair> {
  const query = { prefix: PAIR_PREFIX, limit: Number.POSITIVE_INFINITY }
  for await (const batch of files.list(query)) {
    const keys = batch.flatMap(entry =>
      typeof entry === 'string' || entry.size > VALUE_BYTES_MAX ? [] : [keyOfPath(entry.path)],
    )
    for (let from = 0; from < keys.length; from += READ_AT_ONCE) {
      const some = keys.slice(from, from + READ_AT_ONCE).filter(key => key !== undefined)
      const values = await Promise.all(some.map(async key => (await readPair(files, key))?.value))
      for (const [i, key] of some.entries()) {
        const value = values[i]
        if (value !== undefined) yield { key, value }
      }
    }
  }
}

/** The file of a key, with its value unless it holds none; undefined when there is no file. */
async function readPair(
  files: FileService,
  key: Key,
): Promise<{ readonly file: FoundFile; readonly value: JsonText | undefined } | undefined> {
  const path = pathOfKey(key)
  for (let tries = 1; ; tries++) {
    const { record, ...placement } = await files.find(path)
    if (record === undefined) return undefined
    const file = { record, ...placement }
    if (record.body.size > VALUE_BYTES_MAX) return { file, value: undefined }
    try {
      return { file, value: jsonIn(await whole(await files.read(file))) }
    } catch (error) {
      // The version that was found may have been replaced before its bytes were read, here or at another node.
      const code = errorCode(error)
      if ((code !== 'FILE_NOT_FOUND' && code !== 'UNAVAILABLE') || tries === REPLACED_TRIES_MAX) throw error
    }
  }
}

function jsonIn(bytes: Uint8Array): JsonText | undefined {
  try {
    return compactJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

async function whole(bytes: Uint8Array | Readable): Promise<Uint8Array> {
  return bytes instanceof Uint8Array ? bytes : Buffer.concat(await bytes.toArray())
}

async function* bytesOf(value: JsonText): AsyncGenerator<Uint8Array> {
  yield Buffer.from(value)
}

function noPair(key: Key, cause?: unknown): StoreError {
  return new StoreError('FILE_NOT_FOUND', 'No pair has this key.', { path: pathOfKey(key), cause })
}
