/**
 * Giving a folder out as one archive, tar or zip: written as fast as the client reads, one file after the other, with no
 * more in memory than a few small files. An archive that can't be completed breaks off without its end.
 */
import type { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import { makeZip } from 'client-zip'
import { pack as newPack, type Pack } from 'tar-stream'
import { errorCode, StoreError } from '../errors.ts'
import { attributesInMeta, decodeTarget, kindOfStored, metaOfAttributes } from '../file-attributes.ts'
import type { FileService, FoundFile } from '../files/file-service.ts'
import type { ListedFile } from '../files/listing.ts'

/** A file up to this, bytes, is fetched while those before it are sent. */
const SMALL_BYTES_MAX = 64 * 1024

/** Small files that are fetched ahead: at the most 1 MiB for one archive. */
const AHEAD = 16

/** A zip has all names once more at its end, which wait in memory; about 20 MiB. */
export const ZIP_FILES_MAX = 100_000

// A version can be replaced between finding and reading it; this often only if somebody replaces it in a tight loop.
const REPLACED_TRIES_MAX = 5

const NS_PER_MS = 1_000_000n

/** One file, link or folder on its way out. */
export interface Archived {
  readonly kind: 'file' | 'link' | 'folder'
  /** Relative to the folder that is archived. */
  readonly name: string
  readonly mode: number
  readonly mtimeNs: bigint
  /** What a link leads to. */
  readonly target?: Buffer
  readonly size: number
  readonly body?: Uint8Array | Readable
}

type Opened = Promise<Archived | undefined>

/** What is listed, opened in order. Files that are gone when it is their turn are left out, as in a list that is read slowly. */
export async function* archived(
  files: Pick<FileService, 'find' | 'read'>,
  listed: AsyncIterable<readonly ListedFile[]>,
  prefix: string,
): AsyncGenerator<Archived> {
  const ahead: { readonly file: ListedFile; readonly opened: Opened | undefined }[] = []
  const next = async () => {
    const { file, opened } = ahead.shift() as (typeof ahead)[number]
    return opened ?? open(files, file, prefix)
  }
  try {
    for await (const batch of listed) {
      for (const file of batch) {
        const opened = file.size <= SMALL_BYTES_MAX ? open(files, file, prefix) : undefined
        // Its turn, or the end, meets the error.
        opened?.catch(() => undefined)
        ahead.push({ file, opened })
        if (ahead.length < AHEAD) continue
        const found = await next()
        if (found !== undefined) yield found
      }
    }
    while (ahead.length > 0) {
      const found = await next()
      if (found !== undefined) yield found
    }
  } finally {
    for (const { opened } of ahead) opened?.then(letGo, () => undefined)
  }
}

function letGo(entry: Archived | undefined): void {
  if (entry?.body instanceof Readable) entry.body.destroy()
}

async function open(
  files: Pick<FileService, 'find' | 'read'>,
  { path, size, mediaType, writtenAtMs, user }: ListedFile,
  prefix: string,
): Opened {
  const meta = Object.fromEntries(user ?? [])
  const kind = kindOfStored(size, mediaType, meta.link)
  const said = attributesInMeta(meta)
  const common = { name: path.slice(prefix.length), mtimeNs: said.mtimeNs ?? BigInt(writtenAtMs) * NS_PER_MS }
  if (kind === 'folder') return { ...common, kind, mode: said.mode ?? 0o755, size: 0 }
  if (kind === 'link')
    return { ...common, kind, mode: 0o777, size: 0, target: decodeTarget(meta.link as string) }
  const mode = said.mode ?? 0o644
  if (size === 0) return { ...common, kind, mode, size }
  for (let tries = 1; ; tries++) {
    const { record, ...placement } = await files.find(path)
    if (record === undefined) return undefined
    try {
      const body = await files.read({ record, ...placement } as FoundFile)
      return { ...common, kind, mode, size: record.body.size, body }
    } catch (error) {
      if (errorCode(error) !== 'FILE_NOT_FOUND' || tries === REPLACED_TRIES_MAX) throw error
    }
  }
}

/** The bytes of a tar archive: ustar, with PAX headers for the time and for what has no room otherwise. */
export async function* tarOf(entries: AsyncIterable<Archived>): AsyncGenerator<Uint8Array> {
  const tar = newPack()
  const demand = new Demand()
  const filling = fillTar(tar, entries, demand)
  const chunks = (tar as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  try {
    for (;;) {
      demand.on()
      const chunk = await chunks.next()
      if (chunk.done) return
      demand.off()
      yield chunk.value
    }
  } finally {
    tar.destroy()
    demand.on()
    await filling
  }
}

/** Never rejects: its errors come out of the archive. */
async function fillTar(tar: Pack, entries: AsyncIterable<Archived>, demand: Demand): Promise<void> {
  try {
    for await (const entry of entries) {
      await demand.wanted()
      if (tar.destroyed) return letGo(entry)
      await addToTar(tar, entry)
    }
    tar.finalize()
  } catch (error) {
    tar.destroy(error as Error)
  }
}

async function addToTar(
  tar: Pack,
  { kind, name, mode, mtimeNs, size, target, body }: Archived,
): Promise<void> {
  const seconds = Number(mtimeNs / 1_000_000_000n)
  const header = {
    name,
    // With its kind: a mode of nothing but zeros is taken for one that is missing.
    mode: KIND_BITS[kind] | mode,
    size,
    type: ({ file: 'file', link: 'symlink', folder: 'directory' } as const)[kind],
    // A plain header has no room for times before 1970 and after 2038; PAX has.
    mtime: new Date(Math.min(Math.max(seconds, 0), 0x7fffffff) * 1000),
    pax: { mtime: metaOfAttributes({ mode, mtimeNs }).mtime },
    ...(target && { linkname: target.toString() }),
  }
  await new Promise<void>((resolve, reject) => {
    const sink = tar.entry(header, error => (error ? reject(error) : resolve()))
    // Its error comes to the callback, too; without a listener it would end the process.
    sink.on('error', () => undefined)
    if (kind === 'file') pour(body, sink).catch(error => sink.destroy(error))
  })
}

/** What a writable of `streamx` has in common with those of Node.js. */
interface Sink {
  write(chunk: Uint8Array): boolean
  end(): unknown
  once(event: string, then: () => void): unknown
  readonly destroyed: boolean
}

async function pour(body: Uint8Array | Readable | undefined, sink: unknown): Promise<void> {
  const into = sink as Sink
  if (body instanceof Uint8Array) into.write(body)
  else if (body !== undefined)
    for await (const chunk of body) {
      if (into.destroyed) return
      if (!into.write(chunk))
        await new Promise<void>(resolve => {
          into.once('drain', resolve)
          into.once('close', resolve)
        })
    }
  into.end()
}

/** Whether whoever reads wants more. Headers know no back-pressure; entries are added one by one when there is a demand. */
class Demand {
  #isOn = true
  #wake: (() => void) | undefined

  on(): void {
    this.#isOn = true
    this.#wake?.()
  }

  off(): void {
    this.#isOn = false
  }

  async wanted(): Promise<void> {
    while (!this.#isOn)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
  }
}

/** The bytes of a zip archive, not compressed. Times have a grain of 2 s and no zone, as the format has it. */
export async function* zipOf(
  entries: AsyncIterable<Archived>,
  filesMax = ZIP_FILES_MAX,
): AsyncGenerator<Uint8Array> {
  yield* makeZip(forZip(entries, filesMax)) as unknown as AsyncIterable<Uint8Array>
}

async function* forZip(entries: AsyncIterable<Archived>, filesMax: number) {
  let files = 0
  for await (const { kind, name, mode, mtimeNs, target, body } of entries) {
    if (++files > filesMax)
      throw new StoreError(
        'INVALID_REQUEST',
        `A zip archive may have ${filesMax} files here; tar has no bound.`,
      )
    const common = { name, lastModified: zipTime(mtimeNs) }
    if (kind === 'folder') yield { ...common, name: `${name}/`, mode }
    else if (kind === 'link') yield { ...common, input: target as Uint8Array, mode: KIND_BITS.link | 0o777 }
    else yield { ...common, input: body ?? new Uint8Array(0), mode: KIND_BITS.file | mode }
  }
}

/** What says in a POSIX mode what something is (`S_IFMT`). */
const KIND_BITS = { file: 0o100_000, link: 0o120_000, folder: 0o040_000 } as const

/** The format begins in 1980 and ends in 2107. */
function zipTime(mtimeNs: bigint): Date {
  const [first, last] = [Date.UTC(1980, 0, 2), Date.UTC(2107, 11, 30)]
  return new Date(Math.min(Math.max(Number(mtimeNs / NS_PER_MS), first), last))
}
