/**
 * Owns finding the files of a folder that is to be stored, and what is left out of it: symbolic links are not
 * followed, and folders without anything in them have no place in a flat namespace.
 */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** What a walk comes across. `path` is relative to the root, with `/` between the segments. */
export type Walked =
  | { readonly kind: 'file'; readonly path: string; readonly file: string; readonly size: number }
  | { readonly kind: 'skipped'; readonly path: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly path: string; readonly error: unknown }

/** Everything under `root`, in the order of names, depth first. The root itself may be reached through a link. */
export async function* walkFolder(root: string): AsyncGenerator<Walked> {
  yield* walk(root, '')
}

async function* walk(folder: string, prefix: string): AsyncGenerator<Walked> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    yield { kind: 'failed', path: prefix === '' ? '.' : prefix.slice(0, -1), error }
    return
  }
  if (names.length === 0) {
    yield { kind: 'skipped', path: prefix === '' ? '.' : prefix.slice(0, -1), reason: 'empty folder' }
  }
  for (const name of names.sort()) {
    const file = join(folder, name)
    const path = prefix + name
    try {
      const info = await lstat(file)
      if (info.isDirectory()) yield* walk(file, `${path}/`)
      else if (info.isFile()) yield { kind: 'file', path, file, size: info.size }
      else
        yield {
          kind: 'skipped',
          path,
          reason: info.isSymbolicLink() ? 'symbolic link' : 'not a regular file',
        }
    } catch (error) {
      yield { kind: 'failed', path, error }
    }
  }
}
