/**
 * `altered-chord get -r`: everything below a path of the store in a folder of this machine. What is there already is not fetched
 * again; modes, times and symbolic links come back from the metadata.
 *
 * The paths, targets and modes come from a node, which is not trusted here: links are made after everything else, and nothing
 * is ever written through one.
 */
import { lstat, readlink, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ListedFile, StoreClient } from '../client/client.ts'
import {
  type Attributes,
  attributesInMeta,
  attributesOf,
  decodeTarget,
  encodeTarget,
  isAsSaid,
} from '../file-attributes.ts'
import { counted, formatQuantity } from '../quantity.ts'
import { hasSameContent, kindOfListed, type LocalFile } from './comparison.ts'
import { walkFolder } from './folder-walk.ts'
import type { Progress } from './progress.ts'
import type { Selection } from './selection.ts'
import { note, noteFailure, print, type Session } from './session.ts'
import { conflictFinder, TargetFolder } from './target-folder.ts'
import { forEachAtOnce } from './transfers.ts'

export interface GetFolderOptions {
  readonly parallel: number
  readonly quick?: boolean
  readonly delete?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
  /** False: what stands for links is left out. */
  readonly links?: boolean
  /** False: bytes only. */
  readonly meta?: boolean
}

export interface GetFolderComponents {
  readonly session: Session
  readonly client: StoreClient
  readonly progress: Progress
  readonly selection: Selection
}

interface Entry {
  readonly listed: ListedFile
  /** Relative to the folder. */
  readonly path: string
}

export class GetFolder {
  readonly #components: GetFolderComponents
  readonly #options: GetFolderOptions
  readonly #target: string
  readonly #folder: TargetFolder
  readonly #counts = { listed: 0, files: 0, bytes: 0, unchanged: 0, removed: 0, skipped: 0 }
  readonly #links: Entry[] = []
  readonly #folders: Entry[] = []
  /** What the folder should have, relative to it. */
  readonly #wanted = new Set<string>()

  constructor(components: GetFolderComponents, init: { readonly target: string }, options: GetFolderOptions) {
    this.#components = components
    this.#options = options
    this.#target = init.target
    this.#folder = new TargetFolder({ env: components.session.env }, { root: init.target })
  }

  async fetch(path: string): Promise<void> {
    const { session, progress } = this.#components
    const prefix = path === '' || path === '/' ? '' : `${path.replace(/^\//, '').replace(/\/+$/, '')}/`
    const { parallel } = this.#options
    const there = await stat(this.#target).catch(() => undefined)
    if (there !== undefined && !there.isDirectory())
      return noteFailure(
        session,
        `not fetched: ${path}`,
        new Error(`${this.#target} is a file here, and no folder`),
      )
    const failed = ({ listed }: Entry, error: unknown) =>
      noteFailure(session, `not written: ${listed.path}`, error)
    await forEachAtOnce(
      this.#entries(prefix),
      { parallel, signal: session.signal },
      entry => this.#fetchOne(entry),
      failed,
    )
    const alone = { parallel: 1, signal: session.signal }
    await forEachAtOnce(this.#folders, alone, entry => this.#makeFolder(entry), failed)
    await forEachAtOnce(this.#links, { parallel, signal: session.signal }, entry => this.#link(entry), failed)
    // What was written below has changed the times of the folders; the innermost come first.
    await forEachAtOnce([...this.#folders].reverse(), alone, entry => this.#finishFolder(entry), failed)
    progress.stop()
    const { listed } = this.#counts
    if (listed === 0)
      return noteFailure(session, `not fetched: ${path}`, new Error('nothing lies below this path'))
    if (this.#options.delete) await this.#removeOthers()
    await this.#report()
  }

  async #report(): Promise<void> {
    const { session } = this.#components
    const { listed, files, bytes, unchanged, removed, skipped } = this.#counts
    if (this.#options.json)
      return print(
        session,
        JSON.stringify({
          files,
          bytes,
          unchanged,
          removed,
          skipped,
          missed: listed - files - unchanged - skipped,
        }),
      )
    const verb = this.#options.dryRun ? 'would be ' : ''
    const parts = [
      `${counted(files, 'file')} ${verb}fetched, ${formatQuantity(bytes, 'bytes')}`,
      ...(unchanged > 0 ? [`${unchanged} unchanged`] : []),
      ...(removed > 0 ? [`${removed} ${verb}removed`] : []),
    ]
    await print(session, parts.join('; '))
    const missed = listed - files - unchanged - skipped
    if (missed > 0)
      note(session, `${missed} of ${counted(listed, 'file')} ${missed === 1 ? 'was' : 'were'} not written`)
  }

  async *#entries(prefix: string): AsyncGenerator<Entry> {
    const { client, session, progress, selection } = this.#components
    const inTheWay = conflictFinder()
    for await (const listed of client.list(prefix, { signal: session.signal })) {
      const path = listed.path.slice(prefix.length)
      const kind = kindOfListed(listed)
      if (path !== '' && selection.isLeftOut(path, kind === 'folder' ? 'folder' : 'file')) continue
      this.#counts.listed += 1
      this.#wanted.add(path)
      if (kind === 'folder') {
        this.#folders.push({ listed, path })
        continue
      }
      const file = inTheWay(listed.path)
      if (file !== undefined) {
        const reason = new Error(`${file} is a file, so nothing can be below it`)
        noteFailure(session, `not written: ${listed.path}`, reason)
      } else if (kind === 'link') {
        if (this.#options.links !== false && this.#options.meta !== false) this.#links.push({ listed, path })
        else {
          this.#counts.skipped += 1
          note(session, `skipped (symbolic link): ${listed.path}`)
        }
      } else {
        progress.expect(1, listed.size)
        yield { listed, path }
      }
    }
  }

  async #fetchOne({ listed, path }: Entry): Promise<void> {
    const { session, client, progress } = this.#components
    const { dryRun } = this.#options
    const said = this.#options.meta === false ? {} : attributesInMeta(listed.meta)
    const place = dryRun ? join(this.#target, path) : await this.#folder.place(path)
    const there = await localAt(place)
    const compare = { quick: this.#options.quick, signal: session.signal }
    if (there !== undefined && (await hasSameContent(client, there.local, listed, compare))) {
      if (!dryRun && !isAsSaid(there.attributes, said)) await this.#folder.setAttributes(path, said)
      progress.advance(listed.size)
      this.#counts.unchanged += 1
    } else if (dryRun) {
      await print(session, `would be fetched: ${listed.path}`)
      this.#counted(listed.size)
    } else {
      const file = await client.get(listed.path, { signal: session.signal })
      const body = progress.metered(file.body)
      const attributes = this.#options.meta === false ? {} : attributesInMeta(file.meta)
      await this.#folder.write(path, body, session.signal, attributes)
      this.#counted(file.size)
    }
    progress.fileDone()
  }

  #counted(bytes: number): void {
    this.#counts.files += 1
    this.#counts.bytes += bytes
  }

  async #makeFolder({ path, listed }: Entry): Promise<void> {
    const { dryRun } = this.#options
    const there = await localAt(join(this.#target, path))
    if (there?.local.kind === 'folder') this.#counts.unchanged += 1
    else {
      if (dryRun) await print(this.#components.session, `would be fetched: ${listed.path}`)
      else await this.#folder.makeFolder(path)
      this.#counted(0)
    }
  }

  async #finishFolder({ path, listed }: Entry): Promise<void> {
    const { dryRun, meta } = this.#options
    if (!dryRun && meta !== false) await this.#folder.setAttributes(path, attributesInMeta(listed.meta))
  }

  async #link({ path, listed }: Entry): Promise<void> {
    const { dryRun } = this.#options
    const target = listed.meta?.link ?? ''
    const { mtimeNs } = attributesInMeta(listed.meta)
    const place = dryRun ? join(this.#target, path) : await this.#folder.place(path)
    const there = await localAt(place)
    if (there?.local.target === target) {
      if (!dryRun && mtimeNs !== undefined) await this.#folder.setAttributes(path, { mtimeNs })
      this.#counts.unchanged += 1
      return
    }
    if (dryRun) await print(this.#components.session, `would be fetched: ${listed.path}`)
    else await this.#folder.link(path, decodeTarget(target), mtimeNs)
    this.#counted(0)
  }

  /** Files and links that the store does not have, and the folders that are empty without them. */
  async #removeOthers(): Promise<void> {
    const { session, selection } = this.#components
    if (session.exitCode !== 0)
      return noteFailure(session, 'nothing is removed', new Error('not everything could be fetched'))
    const folders: string[] = []
    for await (const walked of walkFolder(this.#target, selection)) {
      session.signal.throwIfAborted()
      if (walked.kind === 'failed') noteFailure(session, `not removed: ${walked.path}`, walked.error)
      if (walked.kind === 'folder') folders.push(walked.path)
      if ((walked.kind !== 'file' && walked.kind !== 'link') || this.#wanted.has(walked.path)) continue
      if (this.#options.dryRun) await print(session, `would be removed: ${walked.path}`)
      else await rm(walked.file)
      this.#counts.removed += 1
    }
    if (this.#options.dryRun || this.#counts.removed === 0) return
    // One that is not empty stays.
    for (const path of folders.reverse())
      if (!this.#wanted.has(path)) await rmdir(join(this.#target, path)).catch(() => undefined)
  }
}

async function localAt(
  place: string,
): Promise<{ readonly local: LocalFile; readonly attributes: Attributes } | undefined> {
  const info = await lstat(place, { bigint: true }).catch(() => undefined)
  if (info === undefined) return undefined
  const attributes = attributesOf(info)
  const kind = info.isSymbolicLink()
    ? 'link'
    : info.isDirectory()
      ? 'folder'
      : info.isFile()
        ? 'file'
        : undefined
  if (kind === undefined) return undefined
  const target = kind === 'link' ? encodeTarget(await readlink(place, 'buffer')) : undefined
  return {
    local: { kind, file: place, size: Number(info.size), mtimeNs: attributes.mtimeNs, target },
    attributes,
  }
}
