/**
 * The paths that the store keeps for itself: what lies below one first segment is no file of a user. It is refused by
 * every endpoint and left out of every list.
 */
import { StoreError } from '../errors.ts'
import { behind, type PathName } from '../ring/path-name.ts'
import { type ListSource, placeOf } from './listing.ts'

/** The first segment of every reserved path. */
export const RESERVED_SEGMENT = '.altered-chord'

const PREFIX = `${RESERVED_SEGMENT}/`

export function isReserved(path: string): boolean {
  return path.startsWith(PREFIX)
}

/** @throws StoreError INVALID_PATH. */
export function refuseReserved(...paths: readonly PathName[]): void {
  const path = paths.find(isReserved)
  if (path === undefined) return
  const message = `This path is refused: what lies below ${RESERVED_SEGMENT} is the store's own.`
  throw new StoreError('INVALID_PATH', message, { path })
}

/** The same files without the reserved ones. */
export function withoutReserved(source: ListSource): ListSource {
  const list: ListSource['list'] = async query => {
    const listed = await source.list(query)
    const first = listed.findIndex(line => isReserved(placeOf(line)))
    if (first === -1) return listed
    // On from behind all of them: there may be more than one page can hold.
    const rest = { ...query, after: behind(PREFIX), limit: query.limit - first }
    return [...listed.slice(0, first), ...(await source.list(rest))]
  }
  return { list }
}
