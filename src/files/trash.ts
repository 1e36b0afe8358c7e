/**
 * The trash as users mean it: what was removed or replaced, listed by path, restored, and emptied before its time.
 */
import { errorCode, StoreError } from '../errors.ts'
import type { Change, Condition, Replication, Written } from '../replication/replication.ts'
import type { PathName } from '../ring/path-name.ts'
import { TRASH_PREFIX, trashedAt, trashPathOf } from '../ring/trash-path.ts'
import type { ETag, UserMeta, Version } from '../storage/record.ts'
import type { Listed } from '../storage/storage.ts'
import { isTrashName, type TrashName, trashFactsOf } from '../storage/trash-name.ts'
import { type KeyedRequest, keyedRequest, refuseMissing } from './idempotency.ts'
import { listBatches } from './listing.ts'
import { isReserved, refuseReserved } from './reserved-paths.ts'

/** A version in the trash. */
export interface TrashedVersion {
  readonly path: PathName
  readonly name: TrashName
  /** Of the file, as in its ETag. */
  readonly version: Version
  readonly etag: ETag
  readonly size: number
  readonly mediaType: string
  readonly sha256?: string
  readonly user?: UserMeta
  readonly writtenAtMs: number
  /** When it went into the trash, by the clock of the node that took the write, ms since 1970. */
  readonly trashedAtMs: number
  readonly wasRemoved: boolean
}

export interface TrashQuery {
  /** Empty, or the beginning of a path. */
  readonly prefix: string
  /** Only what comes after this version; see placeInTrash. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface RestoreOptions {
  readonly condition: Condition
  readonly idempotencyKey?: string | undefined
  /** Of the file; without it the version that went into the trash last. */
  readonly version?: Version | undefined
  /** Where it is put; without it where it was. */
  readonly to?: PathName | undefined
}

/** What was taken out of the trash. */
export interface Emptied {
  readonly versions: number
  readonly bytes: number
}

export interface TrashComponents {
  readonly replication: Replication
  readonly commit: (change: Change, keyed: KeyedRequest | undefined) => Promise<Written>
}

/** A version can leave the trash between being found and being put; this often only if somebody empties it in a tight loop. */
const GONE_TRIES_MAX = 5

/** Paths that are asked for at once. */
const AT_ONCE = 8

export class Trash {
  readonly #components: TrashComponents

  constructor(components: TrashComponents) {
    this.#components = components
  }

  /** The versions of paths with this prefix, in the byte order of the paths, of each path the oldest first. A live view, as a list of files is. */
  async *list({ prefix, after, limit }: TrashQuery): AsyncIterable<readonly TrashedVersion[]> {
    const from = after === undefined ? {} : { after: placeOfText(after) }
    const query = { prefix: TRASH_PREFIX + prefix, limit, ...from }
    for await (const batch of listBatches(this.#components.replication, query)) {
      const versions = batch.flatMap(trashedVersion)
      if (versions.length > 0) yield versions
    }
  }

  /**
   * Puts a version of the trash back; no bytes move. What stands at the path goes into the trash in the same step.
   * @throws StoreError FILE_NOT_FOUND (no such version in the trash), FILE_EXISTS, PRECONDITION_FAILED, IDEMPOTENCY_KEY_REUSED, and as FileService.copy.
   */
  async restore(path: PathName, options: RestoreOptions): Promise<Written> {
    const { version, to = path, condition, idempotencyKey } = options
    refuseReserved(path, to)
    const { replication, commit } = this.#components
    const parts = ['restore', path, version ?? 'latest', condition]
    const keyed = idempotencyKey === undefined ? undefined : keyedRequest(idempotencyKey, to, parts)
    const commitKeyed = keyed && ((change: Change) => commit(change, keyed))
    const refuse = (missing: unknown = notInTrash(path, version)) =>
      refuseMissing({ path: to, condition }, commitKeyed, missing)
    for (let tries = 1; ; tries++) {
      const name = pick(await replication.trash(path), version)
      const { record } = name === undefined ? {} : await replication.find(trashPathOf(path, name))
      if (name === undefined || (record === undefined && tries === GONE_TRIES_MAX)) return refuse()
      if (record === undefined) continue
      try {
        const body = await replication.stageCopy(record)
        const restores = to === path ? { restores: name } : {}
        return await commit({ kind: 'put', path: to, condition, body, meta: record.meta, ...restores }, keyed)
      } catch (error) {
        // Its bytes went away under us: it has left the trash, and the next round sees that.
        if (errorCode(error) !== 'FILE_NOT_FOUND') throw error
        // Or it is the condition that failed.
        if (condition === 'exists') return refuse(error)
        if (tries === GONE_TRIES_MAX) return refuse()
      }
    }
  }

  /** Takes one version of a path out of the trash, or all. @throws StoreError FILE_NOT_FOUND when it has none. */
  async forget(path: PathName, version?: Version): Promise<void> {
    refuseReserved(path)
    const names = await this.#components.replication.trash(path)
    const asked = version === undefined ? names : names.filter(name => isOf(name, version))
    if (asked.length === 0) throw notInTrash(path, version)
    await this.#components.replication.forget(path, asked)
  }

  /** Takes out what has this prefix, and went in before `beforeMs` where that is given. Counts what is gone, about as it goes. */
  async *empty(prefix: string, beforeMs = Number.POSITIVE_INFINITY): AsyncGenerator<Emptied> {
    let versions = 0
    let bytes = 0
    const running = new Set<Promise<void>>()
    const { replication } = this.#components
    const forget = async (some: readonly TrashedVersion[]) => {
      const [first] = some
      if (first === undefined) return
      await replication.forget(
        first.path,
        some.map(({ name }) => name),
      )
      versions += some.length
      bytes += some.reduce((sum, { size }) => sum + size, 0)
    }
    const begin = async (some: readonly TrashedVersion[]) => {
      const asked = forget(some).finally(() => running.delete(asked))
      // A failure is met when it is waited for.
      asked.catch(() => undefined)
      running.add(asked)
      if (running.size >= AT_ONCE) await Promise.race(running)
    }
    let gathered: TrashedVersion[] = []
    for await (const batch of this.list({ prefix, limit: Number.POSITIVE_INFINITY })) {
      for (const one of batch) {
        if (one.trashedAtMs >= beforeMs) continue
        if (gathered[0] !== undefined && gathered[0].path !== one.path) {
          await begin(gathered)
          gathered = []
        }
        gathered.push(one)
      }
      yield { versions, bytes }
    }
    await begin(gathered)
    await Promise.all(running)
    yield { versions, bytes }
  }
}

/** What `after` continues from: the name of the version and its path. */
export function placeInTrash({ path, name }: Pick<TrashedVersion, 'path' | 'name'>): string {
  return `${name}/${path}`
}

/** @throws StoreError INVALID_REQUEST for what placeInTrash has not made. */
function placeOfText(text: string): string {
  const slash = text.indexOf('/')
  const name = text.slice(0, slash)
  if (!isTrashName(name)) throw new StoreError('INVALID_REQUEST', 'after is the `next` of the page before.')
  return trashPathOf(text.slice(slash + 1) as PathName, name)
}

function trashedVersion(listed: Listed): TrashedVersion[] {
  if (typeof listed === 'string') return []
  const at = trashedAt(listed.path)
  if (at === undefined || !isTrashName(at.name) || isReserved(at.path)) return []
  const { version, atMs: trashedAtMs, wasRemoved } = trashFactsOf(at.name)
  return [{ ...listed, path: at.path, name: at.name, version, trashedAtMs, wasRemoved }]
}

function pick(names: readonly TrashName[], version: Version | undefined): TrashName | undefined {
  return version === undefined ? names.at(-1) : names.find(name => isOf(name, version))
}

function isOf(name: TrashName, { epoch, seq }: Version): boolean {
  const { version } = trashFactsOf(name)
  return version.epoch === epoch && version.seq === seq
}

function notInTrash(path: PathName, version: Version | undefined): StoreError {
  const what =
    version === undefined ? 'nothing of this path' : `no version ${version.epoch}.${version.seq} of this path`
  return new StoreError('FILE_NOT_FOUND', `The trash has ${what}.`, { path })
}
