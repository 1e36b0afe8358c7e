/**
 * The trash of the store: what was removed or replaced, and how it comes back.
 */
import { parsePathName, parsePathPrefix } from '../ring/path-name.ts'
import type { CallOptions, ListOptions, RestoreOptions } from './call-options.ts'
import { signalOf, type WireRequest } from './exchange.ts'
import { type Lines, readLines } from './listing.ts'
import { jsonOf, type Reply } from './reply.ts'
import type { EmptiedTrash, Receipt, TrashedFile } from './wire-types.ts'

export interface TrashInit {
  readonly lines: Lines
  readonly send: <T>(request: WireRequest, take: (reply: Reply) => Promise<T>) => Promise<T>
  readonly write: <T>(
    options: CallOptions & { readonly idempotencyKey?: string },
    request: WireRequest,
    take: (reply: Reply) => Promise<T>,
  ) => Promise<T>
}

export class Trash {
  readonly #init: TrashInit

  constructor(init: TrashInit) {
    this.#init = init
  }

  /**
   * What can be restored of the paths that begin with `prefix`, in the byte order of the paths, of each path the oldest version
   * first. `after` is the `place` of a version. @throws StoreError INVALID_PATH, and those of every call.
   */
  async *list(prefix = '', options: ListOptions = {}): AsyncGenerator<TrashedFile> {
    const start = `prefix=${encodeURIComponent(parsePathPrefix(prefix))}`
    const what = { target: '/trash', query: [start], placeOf: (line: TrashedFile) => line.place }
    yield* readLines(this.#init.lines, what, options)
  }

  /**
   * Puts a version back, by default the one that went into the trash last; create-only unless `overwrite` or `ifMatch` says otherwise.
   * @throws StoreError FILE_NOT_FOUND (the trash has no such version), FILE_EXISTS, PRECONDITION_FAILED, INVALID_PATH, and those of every call.
   */
  async restore(path: string, options: RestoreOptions = {}): Promise<Receipt> {
    const { version, to, overwrite, ifMatch } = options
    const from = parsePathName(path)
    const place = to === undefined ? from : parsePathName(to)
    const what = { path: from, ...(to !== undefined && { to: place }), version, overwrite }
    const request: WireRequest = {
      method: 'POST',
      target: '/trash/restore',
      headers: {
        'content-type': 'application/json',
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      },
      body: () => Buffer.from(JSON.stringify(what)),
      goal: { path: place, writes: true },
      path: from,
    }
    return (await this.#init.write(options, request, jsonOf)) as Receipt
  }

  /** Takes the versions of one path out of the trash for good, or one of them. @throws StoreError FILE_NOT_FOUND, and those of every call. */
  async forget(path: string, options: CallOptions & { readonly version?: string } = {}): Promise<void> {
    const version = options.version === undefined ? '' : `&version=${encodeURIComponent(options.version)}`
    const target = `/trash?path=${encodeURIComponent(parsePathName(path))}${version}`
    await this.#init.send({ method: 'DELETE', target, ...signalOf(options) }, reply => reply.body.dump())
  }

  /** Takes everything with this prefix out of the trash for good; with `olderThan`, such as `1d`, what has been in it for so long. */
  async empty(
    prefix: string,
    options: CallOptions & { readonly olderThan?: string } = {},
  ): Promise<EmptiedTrash> {
    const { olderThan } = options
    const older = olderThan === undefined ? '' : `&older_than=${encodeURIComponent(olderThan)}`
    const target = `/trash?prefix=${encodeURIComponent(parsePathPrefix(prefix))}${older}`
    const request: WireRequest = {
      method: 'DELETE',
      target,
      answerTimeoutMs: EMPTY_TIMEOUT_MS,
      ...signalOf(options),
    }
    return (await this.#init.send(request, jsonOf)) as EmptiedTrash
  }
}

/** A write for each path that has a trash: half a million of them on a slow disk. */
const EMPTY_TIMEOUT_MS = 60 * 60 * 1000
