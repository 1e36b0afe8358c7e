/**
 * Whole folders as archives: a tar archive in, a tar or zip archive out.
 */
import type { Readable } from 'node:stream'
import { parsePathPrefix } from '../ring/path-name.ts'
import type { CallOptions } from './call-options.ts'
import { signalOf, type WireRequest } from './exchange.ts'
import { jsonOf, type Reply } from './reply.ts'
import { verifiedBody } from './verified-body.ts'

/** What became of an archive that was sent. */
export interface ArchiveReport {
  readonly prefix: string
  /** Files that were stored, and their bytes. */
  readonly stored: number
  readonly bytes: number
  /** Files that were there with the same bytes. */
  readonly unchanged: number
  /** Entries that are folders. */
  readonly folders: number
  /** Devices and FIFOs, up to 1,000 of them; `skippedMore` counts the others. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
  readonly skippedMore: number
}

export interface ArchivePutOptions extends CallOptions {
  readonly overwrite?: boolean
  /** Keep folders, too, as empty files that say so. */
  readonly folders?: boolean
}

export interface ArchiveGetOptions extends CallOptions {
  readonly format?: 'tar' | 'zip'
}

type Send = <T>(request: WireRequest, take: (reply: Reply) => T | Promise<T>) => Promise<T>

/** An archive takes as long as its files take to be stored; that it goes on is seen by its bytes, ms. */
const ANSWER_TIMEOUT_MS = 10 * 60_000

export class Archives {
  readonly #send: Send

  constructor(components: { readonly send: Send }) {
    this.#send = components.send
  }

  /**
   * Stores what a tar archive has, below a folder. It is sent once: after a broken connection the same archive can be sent
   * again, and what is there stays.
   * @throws StoreError INVALID_PATH (an entry that leads out), INVALID_REQUEST (no whole tar archive), FILE_EXISTS, and those of put.
   */
  async put(
    folder: string,
    tar: AsyncIterable<Uint8Array>,
    options: ArchivePutOptions = {},
  ): Promise<ArchiveReport> {
    const flags = [
      ...(options.overwrite ? ['overwrite=true'] : []),
      ...(options.folders ? ['folders=true'] : []),
    ]
    const request: WireRequest = {
      method: 'PUT',
      target: `${targetOf(folder)}${flags.length > 0 ? `?${flags.join('&')}` : ''}`,
      headers: { 'content-type': 'application/x-tar' },
      body: () => tar,
      bodyOnce: true,
      answerTimeoutMs: ANSWER_TIMEOUT_MS,
      ...signalOf(options),
    }
    return (await this.#send(request, jsonOf)) as ArchiveReport
  }

  /**
   * The files below a folder as one archive. The stream fails instead of ending when the archive is not complete.
   * @throws StoreError FILE_NOT_FOUND (nothing lies there), OVERLOADED, and those of every call.
   */
  get(folder: string, options: ArchiveGetOptions = {}): Promise<Readable> {
    const { format = 'tar', signal } = options
    const target = `${targetOf(folder)}?format=${format}`
    const request: WireRequest = { method: 'GET', target, ...signalOf(options) }
    return this.#send(request, reply => verifiedBody(reply.body, undefined, folder, signal))
  }
}

function targetOf(folder: string): string {
  const prefix = parsePathPrefix(folder)
  return `/archive${prefix === '' ? '' : `/${prefix.split('/').map(encodeURIComponent).join('/')}`}`
}
