/**
 * What a path is to WebDAV: a file, a collection, or nothing. The store has files only: a collection is what paths
 * have in common, and one without files is marked by a small reserved file (files/reserved-paths.ts).
 */
import { StoreError } from '../errors.ts'
import type { FileService, FoundFile } from '../files/file-service.ts'
import type { Listed } from '../files/listing.ts'
import { isReserved, RESERVED_SEGMENT } from '../files/reserved-paths.ts'
import { comparePathNames, type PathName, parsePathName } from '../ring/path-name.ts'
import { etagOf, type FileMeta, type FileRecord } from '../storage/record.ts'
import type { ListEntry } from '../storage/storage.ts'

/** Without a slash at the end; empty for the root. */
export type Place = PathName | ''

export type Resource =
  | { readonly kind: 'file'; readonly place: PathName; readonly found: FoundFile }
  /** `marker` is there when the collection was made, or has properties. */
  | { readonly kind: 'collection'; readonly place: Place; readonly marker: FileRecord | undefined }

/** What lies directly in a collection. */
export type Member =
  | { readonly kind: 'file'; readonly place: PathName; readonly entry: ListEntry }
  | { readonly kind: 'collection'; readonly place: PathName }

const MARKERS = `${RESERVED_SEGMENT}/dav/collections/`

/** Markers of one level that are held while it is listed: empty collections, of which nobody has more. */
const MARKERS_MAX = 10_000

const MARKER_META: FileMeta = { mediaType: 'application/octet-stream' }

export class Resources {
  readonly #files: FileService
  /** Shows what is reserved. */
  readonly #own: FileService

  constructor({ files, own }: { readonly files: FileService; readonly own: FileService }) {
    this.#files = files
    this.#own = own
  }

  /** A collection goes before a file of the same path, which other endpoints still give. @throws StoreError. */
  async find(place: Place): Promise<Resource | undefined> {
    if (place === '') return { kind: 'collection', place, marker: undefined }
    if (isReserved(`${place}/`)) return undefined
    const marker = (await this.#own.find(markerOf(place))).record
    if (marker !== undefined || (await this.hasMembers(place))) return { kind: 'collection', place, marker }
    const found = await this.#files.find(place)
    return found.record && { kind: 'file', place, found: found as FoundFile }
  }

  async hasMembers(place: PathName): Promise<boolean> {
    for await (const batch of this.#files.list({ prefix: `${place}/`, limit: 1 })) return batch.length > 0
    for await (const batch of this.#own.list({ prefix: `${markerOf(place)}/`, limit: 1 }))
      return batch.length > 0
    return false
  }

  /** @throws StoreError FILE_EXISTS. */
  async makeCollection(place: PathName, meta: FileMeta = MARKER_META, replaces = false): Promise<void> {
    const condition = replaces ? ('none' as const) : ('absent' as const)
    await this.#own.put(markerOf(place), nothing(), { condition, meta })
  }

  /** Sets what is said of a resource beside its bytes. */
  async setMeta(resource: Resource, user: FileMeta['user']): Promise<void> {
    if (resource.kind === 'file') {
      const { place, found } = resource
      const { mediaType } = found.record.meta
      // In the same commit: only while it is the version whose properties were read.
      await this.#files.copyFound(found, place, {
        condition: { etags: [etagOf(found.record)] },
        meta: { mediaType, ...(user && { user }) },
      })
    } else if (resource.place === '') {
      throw new StoreError('FORBIDDEN', 'The root takes no properties.')
    } else {
      await this.makeCollection(resource.place, { ...MARKER_META, ...(user && { user }) }, true)
    }
  }

  /**
   * Gives a file a new version of the same bytes: no write that has looked at it before can be carried out any more.
   * @throws StoreError PRECONDITION_FAILED, FILE_NOT_FOUND when it is another version, or gone, by then.
   */
  async touch({ place, found }: Extract<Resource, { kind: 'file' }>): Promise<void> {
    const { record } = found
    await this.#files.copyFound(found, place, { condition: { etags: [etagOf(record)] }, meta: record.meta })
  }

  /** The members of a collection, files in the order of their paths, in batches. */
  async *members(place: Place): AsyncGenerator<Member[]> {
    const prefix = place === '' ? '' : `${place}/`
    const empty = await this.#markedBelow(prefix)
    const waiting: ListEntry[] = []
    const flush = (before: string | undefined): Member[] => {
      const free = waiting.filter(
        ({ path }) => before === undefined || comparePathNames(`${path}/`, before) < 0,
      )
      for (const entry of free) waiting.splice(waiting.indexOf(entry), 1)
      return free.map(entry => ({ kind: 'file', place: entry.path, entry }))
    }
    for await (const batch of this.#files.list({ prefix, delimiter: '/', limit: Number.POSITIVE_INFINITY })) {
      const members: Member[] = []
      for (const listed of batch) {
        members.push(...flush(placeOfListed(listed)))
        if (typeof listed !== 'string') {
          if (!empty.has(listed.path)) waiting.push(listed)
          continue
        }
        const folder = listed.slice(0, -1) as PathName
        const same = waiting.findIndex(({ path }) => path === folder)
        if (same !== -1) waiting.splice(same, 1)
        empty.delete(folder)
        members.push({ kind: 'collection', place: folder })
      }
      yield members
    }
    yield [...flush(undefined), ...[...empty].map(folder => ({ kind: 'collection' as const, place: folder }))]
  }

  /** Every file below a collection, and every marker, its own included. */
  async *everything(
    place: PathName,
  ): AsyncGenerator<{ readonly path: PathName; readonly isMarker: boolean }> {
    for await (const batch of this.#files.list({ prefix: `${place}/`, limit: Number.POSITIVE_INFINITY })) {
      for (const entry of batch) if (typeof entry !== 'string') yield { path: entry.path, isMarker: false }
    }
    if ((await this.#own.find(markerOf(place))).record !== undefined) yield { path: place, isMarker: true }
    const prefix = `${markerOf(place)}/`
    for await (const batch of this.#own.list({ prefix, limit: Number.POSITIVE_INFINITY })) {
      for (const entry of batch)
        if (typeof entry !== 'string')
          yield { path: entry.path.slice(MARKERS.length) as PathName, isMarker: true }
    }
  }

  /** The marker of a collection. */
  async marker(place: PathName): Promise<FileRecord | undefined> {
    return (await this.#own.find(markerOf(place))).record
  }

  async removeMarker(place: PathName): Promise<void> {
    await this.#own.remove(markerOf(place), { condition: 'exists' })
  }

  async #markedBelow(prefix: string): Promise<Set<PathName>> {
    const marked = new Set<PathName>()
    const query = { prefix: `${MARKERS}${prefix}`, delimiter: '/' as const, limit: MARKERS_MAX }
    for await (const batch of this.#own.list(query))
      for (const listed of batch) {
        const path = placeOfListed(listed).slice(MARKERS.length)
        marked.add((path.endsWith('/') ? path.slice(0, -1) : path) as PathName)
      }
    return marked
  }
}

function placeOfListed(listed: Listed): string {
  return typeof listed === 'string' ? listed : listed.path
}

/** @throws StoreError INVALID_PATH when the marker's path would be too long. */
function markerOf(place: PathName): PathName {
  return parsePathName(`${MARKERS}${place}`)
}

/** The collection that a place lies in. */
export function parentOf(place: PathName): Place {
  const slash = place.lastIndexOf('/')
  return slash === -1 ? '' : (place.slice(0, slash) as PathName)
}

/** The place itself and every collection around it, the root last. */
export function upwards(place: Place): Place[] {
  const places: Place[] = [place]
  for (let at = place; at !== ''; ) {
    at = parentOf(at)
    places.push(at)
  }
  return places
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A marker has no bytes.
}
