/**
 * Owns the paths that the store keeps for itself: what lies below one first segment is no file of a user. It is refused by
 * every door and left out of every list.
 */
import { StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import { behind, type ListSource } from './listing.ts'

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
  const list: ListSource['list'] = async (prefix, after, limit) => {
    const entries = await source.list(prefix, after, limit)
    const first = entries.findIndex(({ path }) => isReserved(path))
    if (first === -1) return entries
    // On from behind all of them: there may be more than one page can hold.
    return [...entries.slice(0, first), ...(await source.list(prefix, behind(PREFIX), limit - first))]
  }
  return { list }
}
