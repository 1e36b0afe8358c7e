/**
 * The locks of WebDAV: which there are on a place, and how one is taken, renewed and given back.
 *
 * The locks of one place are one small reserved file, replaced only in the version that was read: of two that take the same
 * lock at the same moment one wins, at whichever nodes they ask. They are looked at before a write of WebDAV; what makes
 * them hold in its commit is the version of the file (docs/decisions/0332-a-lock-on-a-file-fences.md). Other endpoints do not look.
 */
import { Buffer } from 'node:buffer'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { FileService, FoundFile } from '../files/file-service.ts'
import { RESERVED_SEGMENT } from '../files/reserved-paths.ts'
import { type PathName, parsePathName } from '../ring/path-name.ts'
import { etagOf } from '../storage/record.ts'
import { type Place, upwards } from './resources.ts'

export interface Lock {
  /** A URN by which its owner shows that it has the lock. */
  readonly token: string
  readonly scope: 'exclusive' | 'shared'
  readonly depth: '0' | 'infinity'
  /** The `owner` element as it was sent, or empty. */
  readonly owner: string
  /** ms since 1970. */
  readonly endsAtMs: number
  /** Of what was locked. */
  readonly href: string
}

/** A lock that counts for a place: its own, or that of a collection around it. */
export interface LockAt {
  readonly at: Place
  readonly lock: Lock
}

/** Locks of one place: shared ones have one for each owner. */
const LOCKS_MAX = 100

/** Tries to change the locks of one place while others do the same. */
const TRIES_MAX = 10

/** ms: a client that is gone shall not keep others out for long; one that works renews. */
export const LOCK_MS = { default: 600_000, max: 86_400_000 } as const

const LOCKS = `${RESERVED_SEGMENT}/dav/locks/`

export class Locks {
  readonly #own: FileService
  readonly #env: Pick<Env, 'clock' | 'randomness'>

  constructor(components: { readonly own: FileService; readonly env: Pick<Env, 'clock' | 'randomness'> }) {
    this.#own = components.own
    this.#env = components.env
  }

  /** The locks that count for a place, those around it included; `members` asks for what adds or removes one there. */
  async covering(place: Place): Promise<LockAt[]> {
    const found: LockAt[] = []
    for (const at of upwards(place)) {
      for (const lock of (await this.#read(at)).locks)
        if (at === place || lock.depth === 'infinity') found.push({ at, lock })
    }
    return found
  }

  /** The locks of exactly this place. */
  async of(place: Place): Promise<readonly Lock[]> {
    return (await this.#read(place)).locks
  }

  /** Places directly in a collection that have locks, or had. */
  async lockedIn(place: Place): Promise<Set<string>> {
    const prefix = `${LOCKS}${place === '' ? '' : `${place}/`}`
    return this.#places(prefix, '/')
  }

  /** The locks below a collection. */
  async below(place: Place): Promise<LockAt[]> {
    const found: LockAt[] = []
    for (const at of await this.#places(`${LOCKS}${place === '' ? '' : `${place}/`}`, undefined))
      for (const lock of (await this.#read(at as Place)).locks) found.push({ at: at as Place, lock })
    return found
  }

  /** Takes a lock. @throws StoreError LOCKED. */
  async take(
    place: Place,
    wish: Omit<Lock, 'token' | 'endsAtMs'> & { readonly forMs: number },
  ): Promise<Lock> {
    const { forMs, ...rest } = wish
    const lock = { ...rest, token: this.#drawToken(), endsAtMs: this.#env.clock.nowMs() + forMs }
    const around = (await this.covering(place)).filter(({ at }) => at !== place)
    const below = wish.depth === 'infinity' ? await this.below(place) : []
    for (const { at, lock: other } of [...around, ...below]) refuseBeside(lock, other, at)
    await this.#change(place, locks => {
      for (const other of locks) refuseBeside(lock, other, place)
      if (locks.length >= LOCKS_MAX)
        throw new StoreError('LOCKED', 'Too many share this lock.', { path: place })
      return [...locks, lock]
    })
    return lock
  }

  /** Gives a lock more time; undefined when it is gone. */
  async renew({ at, lock }: LockAt, forMs: number): Promise<Lock | undefined> {
    const renewed = { ...lock, endsAtMs: this.#env.clock.nowMs() + forMs }
    let isThere = false
    await this.#change(at, locks => {
      isThere = locks.some(({ token }) => token === lock.token)
      return locks.map(one => (one.token === lock.token ? renewed : one))
    })
    return isThere ? renewed : undefined
  }

  async release({ at, lock }: LockAt): Promise<void> {
    await this.#change(at, locks => locks.filter(({ token }) => token !== lock.token))
  }

  /** Forgets the locks of a place and all below it, which is gone. */
  async forget(place: PathName): Promise<void> {
    for (const { at, lock } of [...(await this.#at(place)), ...(await this.below(place))])
      await this.release({ at, lock })
  }

  async #at(place: Place): Promise<LockAt[]> {
    return (await this.of(place)).map(lock => ({ at: place, lock }))
  }

  async #places(prefix: string, delimiter: '/' | undefined): Promise<Set<string>> {
    const places = new Set<string>()
    const query = { prefix, delimiter, limit: Number.POSITIVE_INFINITY }
    for await (const batch of this.#own.list(query))
      for (const listed of batch) if (typeof listed !== 'string') places.add(listed.path.slice(LOCKS.length))
    return places
  }

  /** Those that have not ended. */
  async #read(place: Place): Promise<{ locks: readonly Lock[]; found: FoundFile | undefined }> {
    for (let tries = 1; ; tries++) {
      const found = await this.#own.find(fileOf(place))
      if (found.record === undefined) return { locks: [], found: undefined }
      try {
        const bytes = await this.#own.read(found as FoundFile)
        const chunks: Uint8Array[] = []
        if (bytes instanceof Uint8Array) chunks.push(bytes)
        else for await (const chunk of bytes) chunks.push(chunk as Uint8Array)
        const all = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Lock[]
        const nowMs = this.#env.clock.nowMs()
        return { locks: all.filter(({ endsAtMs }) => endsAtMs > nowMs), found: found as FoundFile }
      } catch (error) {
        // It was replaced between finding and reading.
        if (errorCode(error) !== 'FILE_NOT_FOUND' || tries === TRIES_MAX) throw error
      }
    }
  }

  async #change(place: Place, next: (locks: readonly Lock[]) => readonly Lock[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { locks, found } = await this.#read(place)
      const changed = next(locks)
      const condition = found ? { etags: [etagOf(found.record)] } : ('absent' as const)
      try {
        if (changed.length === 0) {
          if (found) await this.#own.remove(fileOf(place), { condition })
        } else {
          const bytes = Buffer.from(JSON.stringify(changed))
          const meta = { mediaType: 'application/json' }
          await this.#own.put(fileOf(place), once(bytes), { condition, meta })
        }
        return
      } catch (error) {
        const code = errorCode(error)
        const isRace = code === 'FILE_EXISTS' || code === 'PRECONDITION_FAILED' || code === 'FILE_NOT_FOUND'
        if (!isRace || tries === TRIES_MAX) throw error
      }
    }
  }

  /** A UUID of version 4 (RFC 9562) as a URN. */
  #drawToken(): string {
    const bytes = Buffer.from(this.#env.randomness.bytes(16))
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
    const hex = bytes.toString('hex')
    const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
    return `urn:uuid:${parts.join('-')}`
  }
}

/** The root's locks have a name that no segment can have beside its children. */
function fileOf(place: Place): PathName {
  return parsePathName(place === '' ? `${RESERVED_SEGMENT}/dav/root-locks` : `${LOCKS}${place}`)
}

function refuseBeside(lock: Pick<Lock, 'scope'>, other: Lock, at: Place): void {
  if (lock.scope === 'shared' && other.scope === 'shared') return
  throw new StoreError('LOCKED', 'Somebody else has a lock here.', { path: at })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
