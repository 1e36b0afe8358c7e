/**
 * Telling whether a file of this machine and one of the store are the same, from what a list says of the latter.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { ListedFile, StoreClient } from '../client/client.ts'
import { attributesInMeta, isSameTime, kindOfStored } from '../file-attributes.ts'
import { beginningInMemory, SMALL_FILE_BYTES_MAX } from './small-file.ts'

export interface LocalFile {
  readonly kind: 'file' | 'link' | 'folder'
  readonly file: string
  readonly size: number
  readonly mtimeNs: bigint
  /** Of a link, encoded as in metadata. */
  readonly target?: string | undefined
}

export interface CompareOptions {
  /** The same size and modification time are enough. */
  readonly quick?: boolean | undefined
  readonly signal: AbortSignal
}

/** What a list says that there is at a path. */
export function kindOfListed({ meta, mediaType, size }: ListedFile): 'file' | 'link' | 'folder' {
  return kindOfStored(size, mediaType, meta?.link)
}

/** Whether both have the same content; modes and times are another matter. */
export async function hasSameContent(
  client: Pick<StoreClient, 'get'>,
  local: LocalFile,
  listed: ListedFile,
  options: CompareOptions,
): Promise<boolean> {
  if (kindOfListed(listed) !== local.kind) return false
  if (local.kind === 'link') return listed.meta?.link === local.target
  if (local.kind === 'folder') return true
  if (listed.size !== local.size) return false
  if (options.quick) {
    const { mtimeNs } = attributesInMeta(listed.meta)
    if (mtimeNs !== undefined) return isSameTime(mtimeNs, local.mtimeNs)
  }
  const there = listed.sha256 ?? (await hashInStore(client, listed.path, options.signal))
  return there !== undefined && there === (await hashOfFile(local, options.signal))
}

/** Files of an earlier version of the program have no hash in the list. */
async function hashInStore(
  client: Pick<StoreClient, 'get'>,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { body, sha256 } = await client.get(path, { signal })
  body.destroy()
  return sha256
}

async function hashOfFile({ file, size }: LocalFile, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  if (size <= SMALL_FILE_BYTES_MAX) return hash.update(beginningInMemory(file, size)).digest('hex')
  await pipeline(createReadStream(file), hash, { signal })
  return hash.digest('hex')
}
