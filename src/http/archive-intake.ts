/**
 * Taking a tar archive in: each entry becomes a file below a prefix, as it comes. What an archive may say is not trusted:
 * a name that leads elsewhere, or a kind of entry that can't be kept, ends it with the name; devices and FIFOs are reported.
 *
 * Small files wait in memory while several are stored at a time; a large one goes to the disk as it comes, and the client
 * waits meanwhile.
 */
import { Buffer } from 'node:buffer'
import mime from 'mime'
import { type Extract, extract, type Header } from 'tar-stream'
import { errorCode, StoreError } from '../errors.ts'
import {
  attributesInMeta,
  encodeTarget,
  FOLDER_MEDIA_TYPE,
  LINK_MEDIA_TYPE,
  metaOfAttributes,
} from '../file-attributes.ts'
import type { FileService, WriteOptions } from '../files/file-service.ts'
import { keyOfPart } from '../files/idempotency.ts'
import { counted } from '../quantity.ts'
import { type PathName, parsePathName } from '../ring/path-name.ts'
import type { UserMeta } from '../storage/record.ts'
import { userMetaOf } from '../storage/user-meta.ts'
import { ArchiveEnd } from './archive-end.ts'
import { refuseExtension } from './file-name.ts'

/** A body up to this, bytes, is held in memory until it is stored. */
const SMALL_BYTES_MAX = 64 * 1024

/** Small files that are being stored at once: about 1 MiB for one archive. */
const AT_ONCE = 16

/** Entries that the report names; of more it says the number. */
const NAMED_MAX = 1000

/** What became of an archive. */
export interface IntakeReport {
  stored: number
  /** Bytes of the files that were stored. */
  bytes: number
  /** Files that were there already with the same bytes. */
  unchanged: number
  /** Entries that are folders, which only `folders` keeps. */
  folders: number
  readonly skipped: { readonly name: string; readonly reason: string }[]
  /** Entries that were skipped and are not named. */
  skippedMore: number
}

export interface IntakeInit extends WriteOptions {
  /** Empty, or ending with a slash. */
  readonly prefix: string
  /** Folders become empty files that say so. */
  readonly keepFolders: boolean
  readonly fileBytesMax: number
  readonly allowedExtensions: readonly string[] | undefined
}

interface Storing {
  readonly path: PathName
  readonly mediaType: string
  readonly user: UserMeta | undefined
  /** Counts files, for keys of their own. */
  readonly index: number
}

type Kind = Header['type'] | null

/** What it needs of the file service. */
type Store = Pick<FileService, 'receive' | 'find' | 'dropReceived' | 'commitReceived' | 'copy'>

/**
 * Stores what an archive has; `body` gives its bytes until the signal says that no more are wanted. The first entry that can't be stored ends it; those before it stay.
 * @throws StoreError INVALID_PATH, INVALID_REQUEST (no whole tar archive), FILE_EXISTS, FILE_TOO_LARGE, TYPE_NOT_ALLOWED, DISK_FULL.
 */
export async function takeInTar(
  files: Store,
  body: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  init: IntakeInit,
): Promise<IntakeReport> {
  return new ArchiveIntake(files, init).run(body)
}

class ArchiveIntake {
  readonly #files: Store
  readonly #init: IntakeInit
  readonly #report: IntakeReport = {
    stored: 0,
    bytes: 0,
    unchanged: 0,
    folders: 0,
    skipped: [],
    skippedMore: 0,
  }
  /** Those under way, by path: two of one path go one after the other. */
  readonly #underWay = new Map<PathName, Promise<void>>()
  #failure: { readonly error: unknown } | undefined
  #index = 0

  constructor(files: Store, init: IntakeInit) {
    this.#files = files
    this.#init = init
  }

  async run(body: (signal: AbortSignal) => AsyncIterable<Uint8Array>): Promise<IntakeReport> {
    const stopping = new AbortController()
    const tar = extract({ filenameEncoding: 'latin1' } as object)
    const end = new ArchiveEnd()
    const feeding = feed(tar, end.watching(body(stopping.signal)))
    try {
      for await (const entry of tar) {
        const header = entry.header as Header & { readonly byteOffset: number }
        end.entry(header.byteOffset, header.size)
        await this.#take(header, entry as unknown as AsyncIterable<Uint8Array>)
        entry.resume()
        this.#throwFailure()
      }
      await this.#allDone()
      this.#throwFailure()
      if (!end.isReached) throw noArchive('The archive ends before it is complete.')
      return this.#report
    } catch (error) {
      await this.#allDone()
      throw this.#afterSome(this.#failure === undefined ? error : this.#failure.error)
    } finally {
      tar.destroy()
      stopping.abort()
      await feeding
    }
  }

  async #take(header: Header, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const name = nameOf(header)
    const kind: Kind = header.type
    if (kind === null || isSparse(header))
      throw refused(
        name,
        'it is sparse, or of another kind that is not kept; make the archive without --sparse',
      )
    if (kind === 'character-device' || kind === 'block-device' || kind === 'fifo')
      return this.#skip(name, kind === 'fifo' ? 'a FIFO' : 'a device')
    if (kind === 'directory') {
      this.#report.folders += 1
      if (!this.#init.keepFolders) return
    }
    const inside = name.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '')
    // The folder that the archive was made of.
    if (kind === 'directory' && (inside === '' || inside === '.')) return
    const path = this.#pathOf(name, inside)
    if (kind === 'link') return this.#link(name, path, header)
    await this.#store(name, path, header, bytes)
  }

  #pathOf(name: string, inside: string): PathName {
    if (inside.startsWith('/')) throw refused(name, 'it begins with a slash')
    try {
      return parsePathName(this.#init.prefix + inside)
    } catch (error) {
      throw refused(
        name,
        (error as Error).message.replace(/^This path is refused: /, '').replace(/\.$/, ''),
        error,
      )
    }
  }

  async #store(
    name: string,
    path: PathName,
    header: Header,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const { fileBytesMax, allowedExtensions } = this.#init
    const isFile = header.type === 'file' || header.type === 'contiguous-file'
    if (isFile) refuseExtension(path, allowedExtensions)
    if (header.size > fileBytesMax)
      throw new StoreError(
        'FILE_TOO_LARGE',
        `The entry ${shown(name)} has ${header.size} bytes, and a file may have ${fileBytesMax} here.`,
        { path },
      )
    const storing = {
      path,
      mediaType: mediaTypeOf(header.type, path),
      user: userMetaOfHeader(header),
      index: this.#index++,
    }
    await this.#underWay.get(path)
    if (isFile && header.size > SMALL_BYTES_MAX) return this.#keep(storing, bytes)
    const small = isFile ? await collected(bytes) : []
    await this.#launch(path, () => this.#keep(storing, small))
  }

  /** Starts when there is a place, and does not wait for the end. */
  async #launch(path: PathName, work: () => Promise<void>): Promise<void> {
    while (this.#underWay.size >= AT_ONCE) await Promise.race(this.#underWay.values())
    const done = work()
      .catch(error => {
        this.#failure ??= { error }
      })
      .finally(() => this.#underWay.delete(path))
    this.#underWay.set(path, done)
  }

  async #keep(
    { path, mediaType, user, index }: Storing,
    bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ) {
    const received = await this.#files.receive(iterate(bytes), { path })
    const { record } = await this.#files.find(path).catch(async error => {
      await this.#files.dropReceived(received)
      throw error
    })
    const links = [user, record?.meta.user].map(fields => fields?.find(([field]) => field === 'link')?.[1])
    const isSame = record?.body.sha256 === received.sha256 && links[0] === links[1]
    const mayReplace = this.#init.condition === 'none'
    if (isSame && (!mayReplace || JSON.stringify(user) === JSON.stringify(record.meta.user))) {
      await this.#files.dropReceived(received)
      this.#report.unchanged += 1
      return
    }
    const meta = { mediaType, ...(user && { user }) }
    await this.#files.commitReceived(path, received, { ...this.#options(index), meta })
    this.#report.stored += 1
    this.#report.bytes += received.size
  }

  /** A hard link becomes a copy of what it names, which has come before it. */
  async #link(name: string, path: PathName, header: Header): Promise<void> {
    const target = linkNameOf(header)
    const source = this.#pathOf(name, target.replace(/^(?:\.\/)+/, ''))
    await this.#underWay.get(source)
    await this.#underWay.get(path)
    this.#throwFailure()
    const { record } = await this.#files.find(source)
    if (record === undefined) throw refused(name, `it is a hard link to ${shown(target)}, which is not there`)
    const there = (await this.#files.find(path)).record
    if (there !== undefined && there.body.sha256 === record.body.sha256) {
      this.#report.unchanged += 1
      return
    }
    const index = this.#index++
    await this.#launch(path, async () => {
      await this.#files.copy(source, path, this.#options(index))
      this.#report.stored += 1
      this.#report.bytes += record.body.size
    })
  }

  #options(index: number): WriteOptions {
    const { condition, idempotencyKey: key } = this.#init
    return { condition, idempotencyKey: key === undefined ? undefined : keyOfPart(key, index) }
  }

  #skip(name: string, reason: string): void {
    const { skipped } = this.#report
    if (skipped.length < NAMED_MAX) skipped.push({ name, reason })
    else this.#report.skippedMore += 1
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async #allDone(): Promise<void> {
    await Promise.all(this.#underWay.values())
  }

  /** The same error, which says how much is there nevertheless. */
  #afterSome(error: unknown): unknown {
    const code = errorCode(error)
    const known = code === undefined ? asNoArchive(error) : (error as StoreError)
    if (!(known instanceof StoreError)) return known
    const { stored, unchanged } = this.#report
    if (stored + unchanged === 0) return known
    const { path, retryAfterSeconds, missing } = known
    return new StoreError(
      known.code,
      `${known.message} Before it, ${counted(stored, 'file')} ${stored === 1 ? 'was' : 'were'} stored, and ${unchanged} ${unchanged === 1 ? 'was' : 'were'} there already.`,
      {
        cause: error,
        ...(path !== undefined && { path }),
        ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
        ...(missing !== undefined && { missing }),
      },
    )
  }
}

/** Writes a body into the parser, as fast as its entries are read. Never rejects: its errors come out of the entries. */
async function feed(tar: Extract, body: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of body) {
      if (tar.destroyed) return
      if (!tar.write(chunk))
        await new Promise<void>(resolve => {
          const goOn = () => {
            tar.off('drain', goOn).off('close', goOn)
            resolve()
          }
          tar.once('drain', goOn).once('close', goOn)
        })
    }
    tar.end(null)
  } catch (error) {
    tar.destroy(error as Error)
  }
}

async function collected(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return chunks
}

async function* iterate(bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* bytes
}

/** Fields of a PAX header (POSIX.1-2017, pax, "pax Extended Header"). */
function paxOf({ pax }: Header): Readonly<Record<string, string>> {
  return (pax ?? {}) as Record<string, string>
}

function nameOf(header: Header): string {
  return textOf(header.name, paxOf(header).path !== undefined)
}

function linkNameOf(header: Header): string {
  return textOf(header.linkname ?? '', paxOf(header).linkpath !== undefined)
}

/** A text of the archive; the parser gives bytes of a plain header as Latin-1, and PAX as text. */
function textOf(text: string, isPax: boolean): string {
  // What the parser could not read has become a sign that stands for nothing else in practice.
  if (isPax && text.includes('\ufffd')) throw refused(text, 'it is not UTF-8')
  if (isPax) return text
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'))
  } catch (cause) {
    throw refused(Buffer.from(text, 'latin1').toString(), 'it is not UTF-8', cause)
  }
}

/** GNU tar writes what a sparse file is made of where others have its bytes. */
function isSparse(header: Header): boolean {
  return Object.keys(paxOf(header)).some(name => name.startsWith('GNU.sparse.'))
}

function mediaTypeOf(kind: Kind, path: PathName): string {
  if (kind === 'symlink') return LINK_MEDIA_TYPE
  if (kind === 'directory') return FOLDER_MEDIA_TYPE
  return mime.getType(path) ?? 'application/octet-stream'
}

function userMetaOfHeader(header: Header): UserMeta | undefined {
  const mtime = paxOf(header).mtime ?? String(Math.floor(header.mtime.getTime() / 1000))
  // More than nine decimals are none of a file system.
  const { mtimeNs = 0n } = attributesInMeta({
    mtime: mtime.replace(/(\.\d{9})\d+$/, '$1').replace(/\.$/, ''),
  })
  const isPax = paxOf(header).linkpath !== undefined
  const target =
    header.type === 'symlink' ? Buffer.from(header.linkname ?? '', isPax ? 'utf8' : 'latin1') : undefined
  return userMetaOf(
    Object.entries({
      ...metaOfAttributes({ mode: header.mode & 0o777, mtimeNs }),
      ...(target && { link: encodeTarget(target) }),
    }),
  )
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 200))
}

function refused(name: string, reason: string, cause?: unknown): StoreError {
  return new StoreError('INVALID_PATH', `The entry ${shown(name)} of the archive is refused: ${reason}.`, {
    cause,
  })
}

function noArchive(message: string, cause?: unknown): StoreError {
  return new StoreError('INVALID_REQUEST', message, { cause })
}

/** What the parser says of its input; a defect of this program stays one. */
function asNoArchive(error: unknown): unknown {
  const message = error instanceof Error ? error.message : ''
  if (/^Unexpected end of data/.test(message))
    return noArchive('The archive ends before it is complete.', error)
  if (/^(?:Invalid (?:tar )?header|Header exceeds)/.test(message))
    return noArchive(
      'The body is no tar archive, or a damaged one; one that is compressed is unpacked first.',
      error,
    )
  return error
}
