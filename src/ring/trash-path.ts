/**
 * Where the trash of a path lies: each version that was replaced or removed there is a record at a path of the store's own,
 * which has the position of the path that it comes from (docs/decisions/0340).
 *
 * A control character, which no path of a user holds, parts the two, so that in the order of a list the versions of a path
 * follow each other, before everything below it.
 */
import type { PathName } from './path-name.ts'

export const TRASH_PREFIX = '.altered-chord/trash/'

const SEPARATOR = '\u0001'

/** Characters of the name of a trashed version; see storage/trash-name.ts. */
export const TRASH_NAME_LENGTH = 69

export function isTrashPath(path: string): boolean {
  return path.startsWith(TRASH_PREFIX) && path.includes(SEPARATOR)
}

/** The path at which the version of this name lies. */
export function trashPathOf(path: PathName, name: string): PathName {
  return `${TRASH_PREFIX}${path}${SEPARATOR}${name}` as PathName
}

/** The path that a trashed version comes from, and its name; undefined for any other path. */
export function trashedAt(path: string): { readonly path: PathName; readonly name: string } | undefined {
  if (!path.startsWith(TRASH_PREFIX)) return undefined
  const end = path.indexOf(SEPARATOR)
  if (end === -1) return undefined
  return { path: path.slice(TRASH_PREFIX.length, end) as PathName, name: path.slice(end + 1) }
}
