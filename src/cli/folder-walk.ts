/**
 * Finding what lies in a folder of this machine: files, symbolic links (as themselves, never what they lead to), folders, and
 * what can't be stored, with the reason.
 */
import { isUtf8 } from 'node:buffer'
import { lstatSync } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Attributes, attributesOf, encodeTarget } from '../file-attributes.ts'
import { EVERYTHING, type Selection } from './selection.ts'

interface Found {
  /** Relative to the root, with `/` between the segments. */
  readonly path: string
  readonly file: string
  readonly attributes: Attributes
}

/** What a walk comes across. */
export type Walked =
  | ({ readonly kind: 'file'; readonly size: number } & Found)
  /** `target` is encoded as in metadata. */
  | ({ readonly kind: 'link'; readonly target: string } & Found)
  | ({ readonly kind: 'folder'; readonly isEmpty: boolean } & Found)
  | { readonly kind: 'skipped'; readonly path: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly path: string; readonly error: unknown }

/**
 * Everything under `root` but what a selection leaves out, in the order of the bytes of names, depth first, each folder before
 * what lies in it. The root itself may be reached through a link.
 */
export async function* walkFolder(root: string, selection: Selection = EVERYTHING): AsyncGenerator<Walked> {
  yield* walk(root, '', selection)
}

async function* walk(folder: string, prefix: string, selection: Selection): AsyncGenerator<Walked> {
  const own = prefix === '' ? '.' : prefix.slice(0, -1)
  let names: Buffer[]
  try {
    names = await readdir(folder, { encoding: 'buffer' })
    const info = lstatSync(folder, { bigint: true })
    if (own !== '.')
      yield {
        kind: 'folder',
        path: own,
        file: folder,
        isEmpty: names.length === 0,
        attributes: attributesOf(info),
      }
    else if (names.length === 0) yield { kind: 'skipped', path: own, reason: 'empty folder' }
  } catch (error) {
    yield { kind: 'failed', path: own, error }
    return
  }
  for (const name of names.sort(Buffer.compare)) {
    if (isUtf8(name)) yield* found(folder, prefix, name.toString(), selection)
    else
      yield {
        kind: 'failed',
        path: prefix + name.toString('latin1'),
        error: new Error('its name is not UTF-8 (shown here as Latin-1)'),
      }
  }
}

async function* found(
  folder: string,
  prefix: string,
  name: string,
  selection: Selection,
): AsyncGenerator<Walked> {
  const file = join(folder, name)
  const path = prefix + name
  try {
    // One after the other anyway: to hand each to a thread costs many times what it takes. A folder is read by one.
    const info = lstatSync(file, { bigint: true })
    if (selection.isLeftOut(path, info.isDirectory() ? 'folder' : 'file')) return
    const attributes = attributesOf(info)
    if (info.isDirectory()) yield* walk(file, `${path}/`, selection)
    else if (info.isFile()) yield { kind: 'file', path, file, size: Number(info.size), attributes }
    else if (info.isSymbolicLink())
      yield { kind: 'link', path, file, target: encodeTarget(await readlink(file, 'buffer')), attributes }
    else yield { kind: 'skipped', path, reason: 'not a regular file' }
  } catch (error) {
    yield { kind: 'failed', path, error }
  }
}
