/**
 * The run of a put: what is there already stays, what differs is replaced where that is asked for, and what is not in the
 * folder goes with `--delete`. A run that was interrupted goes on where it was, since what it has stored is there.
 */
import { createReadStream, lstatSync } from 'node:fs'
import type { ListedFile, Receipt, StoreClient } from '../client/client.ts'
import { attributesInMeta, FOLDER_MEDIA_TYPE, isAsSaid, LINK_MEDIA_TYPE } from '../file-attributes.ts'
import { counted, formatQuantity } from '../quantity.ts'
import { parsePathName } from '../ring/path-name.ts'
import { hasSameContent, type LocalFile } from './comparison.ts'
import type { Progress } from './progress.ts'
import { receiptLine } from './receipt-line.ts'
import type { Selection } from './selection.ts'
import { note, noteFailure, print, type Session } from './session.ts'
import { beginningInMemory, SMALL_FILE_BYTES_MAX } from './small-file.ts'
import { forEachAtOnce, limited, PARALLEL_DEFAULT, SMALL_AT_ONCE } from './transfers.ts'
import type { Planned, Upload } from './uploads.ts'

export interface PutRunOptions {
  readonly recursive?: boolean
  readonly overwrite?: boolean
  readonly ifMatch?: string
  readonly type?: string
  /** Files at once; without it, many small ones and few large ones. */
  readonly parallel?: number
  readonly json?: boolean
  readonly quick?: boolean
  readonly delete?: boolean
  readonly dryRun?: boolean
  readonly meta?: boolean
}

interface Components {
  readonly session: Session
  readonly client: StoreClient
  readonly progress: Progress
  readonly selection: Selection
}

export class PutRun {
  readonly #components: Components
  readonly #options: PutRunOptions
  readonly #counts = { files: 0, bytes: 0, unchanged: 0, updated: 0, removed: 0, differing: 0 }
  #last: Receipt | undefined

  constructor(components: Components, options: PutRunOptions) {
    this.#components = components
    this.#options = options
  }

  async run(plans: readonly Planned[]): Promise<void> {
    const { session, progress } = this.#components
    const codeBefore = session.exitCode
    for (const plan of plans) {
      const sizes = plan.uploads.reduce((sum, upload) => sum + (upload.size ?? 0), 0)
      progress.expect(plan.uploads.length, sizes)
      const there = plan.prefix === undefined ? undefined : await this.#listed(plan.prefix)
      await this.#store(plan.uploads, there)
      if (this.#options.delete && there !== undefined && plan.prefix !== undefined)
        await this.#removeOthers(plan, plan.prefix, there)
    }
    progress.stop()
    if (this.#options.json) return
    if (this.#options.recursive || plans.length > 1) await print(session, this.#summary())
    else if (this.#last !== undefined) await print(session, receiptLine(this.#last))
    else if (this.#options.dryRun && session.exitCode === codeBefore) await print(session, this.#summary())
  }

  #summary(): string {
    const { files, bytes, unchanged, updated, removed, differing } = this.#counts
    const verb = this.#options.dryRun ? 'would be ' : ''
    return [
      `${counted(files, 'file')} ${verb}stored, ${formatQuantity(bytes, 'bytes')}`,
      ...(unchanged > 0 ? [`${unchanged} unchanged`] : []),
      ...(updated > 0 ? [`${updated} ${verb}given their mode and time`] : []),
      ...(removed > 0 ? [`${removed} ${verb}removed`] : []),
      ...(differing > 0
        ? [
            `${differing} ${differing === 1 ? 'differs and stays as it is (--overwrite replaces it)' : 'differ and stay as they are (--overwrite replaces them)'}`,
          ]
        : []),
    ].join('; ')
  }

  async #listed(prefix: string): Promise<Map<string, ListedFile>> {
    const { client, session } = this.#components
    const there = new Map<string, ListedFile>()
    for await (const file of client.list(prefix, { signal: session.signal })) there.set(file.path, file)
    return there
  }

  async #store(uploads: readonly Upload[], there: ReadonlyMap<string, ListedFile> | undefined) {
    const { session, progress } = this.#components
    const { parallel } = this.#options
    const large = limited(parallel ?? PARALLEL_DEFAULT)
    await forEachAtOnce(
      uploads,
      { parallel: parallel ?? SMALL_AT_ONCE, signal: session.signal },
      async upload => {
        const store = () => this.#storeOne(upload, there?.get(upload.path))
        await (isSmall(upload) ? store() : large(store))
        progress.fileDone()
      },
      (upload, error) => noteFailure(session, `not stored: ${upload.file} as ${upload.path}`, error),
    )
  }

  async #storeOne(upload: Upload, listed: ListedFile | undefined): Promise<void> {
    const { session, client, progress } = this.#components
    const { overwrite, dryRun, quick } = this.#options
    parsePathName(upload.path)
    const local = localOf(upload)
    if (listed !== undefined && local !== undefined) {
      if (await hasSameContent(client, local, listed, { quick, signal: session.signal })) {
        progress.advance(upload.size ?? 0)
        await this.#updateMeta(upload, listed)
        return
      }
      if (!overwrite) {
        this.#counts.differing += 1
        throw new Error('the store has another file at this path; --overwrite replaces it (FILE_EXISTS)')
      }
    }
    if (dryRun) {
      await print(session, `would be ${listed === undefined ? 'stored' : 'replaced'}: ${upload.path}`)
      this.#counts.files += 1
      this.#counts.bytes += upload.size ?? 0
      return
    }
    const receipt = await this.#send(upload, listed)
    this.#counts.files += 1
    this.#counts.bytes += receipt.size
    this.#last = receipt
    if (this.#options.json) await print(session, JSON.stringify(receipt))
  }

  /**
   * The bytes are there; their mode and time are brought up to date without sending them again. Nothing is lost by that, so it
   * needs no --overwrite (docs/decisions/0330-a-mode-alone-is-brought-up-to-date.md).
   */
  async #updateMeta(upload: Upload, listed: ListedFile): Promise<void> {
    const { client, session } = this.#components
    const said = attributesInMeta(listed.meta)
    const isSaid = said.mode !== undefined && said.mtimeNs !== undefined
    const isCurrent =
      this.#options.meta === false ||
      upload.attributes === undefined ||
      (isSaid && isAsSaid(upload.attributes, said))
    if (isCurrent) {
      this.#counts.unchanged += 1
      return
    }
    if (this.#options.dryRun) {
      await print(session, `would be given its mode and time: ${upload.path}`)
    } else {
      const meta = { ...listed.meta, ...upload.meta }
      await client.copy(upload.path, upload.path, { ifMatch: listed.etag, meta, signal: session.signal })
    }
    this.#counts.updated += 1
  }

  async #send(upload: Upload, listed: ListedFile | undefined): Promise<Receipt> {
    const { session, client, progress } = this.#components
    const { overwrite, ifMatch } = this.#options
    const whole = wholeOf(upload)
    let sent = 0
    const open = () => {
      // A repeated try starts from the first byte again.
      progress.advance(-sent)
      sent = 0
      const body =
        upload.kind === 'input' ? (session.stdin as AsyncIterable<Uint8Array>) : beginningOf(upload)
      return progress.metered(body, bytes => {
        sent += bytes
      })
    }
    // What the list has shown is replaced, and nothing that somebody has written since.
    const expected = listed?.etag ?? ifMatch
    const receipt = await client.put(upload.path, whole ?? (upload.kind === 'input' ? open() : open), {
      mediaType: await this.#mediaTypeOf(upload),
      meta: upload.meta,
      signal: session.signal,
      ...(expected === undefined ? { overwrite: overwrite === true } : { ifMatch: expected }),
      ...(upload.size === undefined ? {} : { size: upload.size }),
    })
    if (whole !== undefined) progress.advance(whole.byteLength)
    if (upload.kind === 'file') this.#noteChange(upload, receipt)
    return receipt
  }

  async #mediaTypeOf({ kind, path }: Upload): Promise<string> {
    if (kind === 'link') return LINK_MEDIA_TYPE
    if (kind === 'folder') return FOLDER_MEDIA_TYPE
    if (this.#options.type !== undefined) return this.#options.type
    const { default: mime } = await import('mime')
    return mime.getType(path) ?? 'application/octet-stream'
  }

  #noteChange({ file, attributes }: Upload, receipt: Receipt): void {
    const { session } = this.#components
    const now = looked(file)
    if (now === undefined || now.isSymbolicLink()) return
    if (now.size > receipt.size)
      note(session, `${file} has grown meanwhile; stored are its first ${receipt.size} bytes`)
    else if (attributes !== undefined && now.mtimeNs !== attributes.mtimeNs)
      noteFailure(session, `stored, and changed while it was read: ${file}`, new Error('store it again'))
  }

  async #removeOthers(plan: Planned, prefix: string, there: ReadonlyMap<string, ListedFile>): Promise<void> {
    const { session, client, selection } = this.#components
    if (!plan.isWhole) {
      noteFailure(session, 'nothing is removed', new Error('not everything in the folder could be read'))
      return
    }
    const kept = new Set(plan.uploads.map(({ path }) => path))
    const doomed = [...there.values()].filter(
      ({ path }) => !kept.has(path) && !isLeftOut(selection, path.slice(prefix.length)),
    )
    await forEachAtOnce(
      doomed,
      { parallel: this.#options.parallel ?? SMALL_AT_ONCE, signal: session.signal },
      async ({ path, etag }) => {
        if (this.#options.dryRun) await print(session, `would be removed: ${path}`)
        else await client.remove(path, { ifMatch: etag, signal: session.signal })
        this.#counts.removed += 1
      },
      ({ path }, error) => noteFailure(session, `not removed: ${path}`, error),
    )
  }
}

/** What is left out is neither stored nor removed. */
function isLeftOut(selection: Selection, path: string): boolean {
  return path !== '' && selection.isLeftOut(path, 'file')
}

function localOf(upload: Upload): LocalFile | undefined {
  const { kind, file, size, attributes, meta } = upload
  if (kind === 'input' || attributes === undefined || size === undefined) return undefined
  return { kind, file, size, mtimeNs: attributes.mtimeNs, target: meta.link }
}

/** Undefined where nothing can be learned: the file is stored by then, whatever has become of it here. */
function looked(file: string) {
  try {
    return lstatSync(file, { bigint: true })
  } catch {
    return undefined
  }
}

function isSmall(upload: Upload): upload is Upload & { readonly size: number } {
  return upload.kind !== 'input' && upload.size !== undefined && upload.size <= SMALL_FILE_BYTES_MAX
}

/** The same of a small file, in memory; undefined of a large one, and of what has no size. @throws Error when it has become shorter. */
function wholeOf(upload: Upload): Uint8Array | undefined {
  if (!isSmall(upload)) return undefined
  const { kind, file, size } = upload
  if (kind !== 'file' || size === 0) return new Uint8Array()
  const bytes = beginningInMemory(file, size)
  if (bytes.byteLength < size) throw new Error(`it has become shorter: ${bytes.byteLength} of ${size} bytes`)
  return bytes
}

/**
 * The bytes that a file had when it was looked at: a log that is written to has no end. It is opened when the first byte is
 * wanted: a file that is gone by then is an error of its reader, and none of the whole program.
 */
async function* beginningOf({ kind, file, size }: Upload): AsyncGenerator<Uint8Array> {
  if (kind !== 'file' || size === 0) return
  yield* createReadStream(file, size === undefined ? {} : { end: size - 1 })
}
