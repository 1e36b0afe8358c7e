/** A source of lists over fixed paths, made the slow way. */
import type { ListSource } from '../../src/files/listing.ts'
import { commonPrefix, comparePathNames, type PathName } from '../../src/ring/path-name.ts'
import type { ETag } from '../../src/storage/record.ts'
import { type Listed, placeOf } from '../../src/storage/storage.ts'

export function listSource(paths: readonly string[]): ListSource {
  const sorted = [...new Set(paths)].sort(comparePathNames)
  return {
    async list({ prefix, delimiter, after = '', limit }) {
      const byPlace = new Map<string, Listed>()
      for (const path of sorted) {
        if (!path.startsWith(prefix) || comparePathNames(path, after) <= 0) continue
        const level = delimiter && commonPrefix(path, prefix, delimiter)
        const line: Listed = level ?? {
          path: path as PathName,
          size: 0,
          etag: '""' as ETag,
          mediaType: 'a/b',
          writtenAtMs: 0,
        }
        byPlace.set(placeOf(line), line)
      }
      return [...byPlace.values()].slice(0, limit)
    },
  }
}
