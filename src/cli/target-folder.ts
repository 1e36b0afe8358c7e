/**
 * Writing fetched files into a folder of this machine: never outside of it, and never half.
 *
 * The paths come from a node, which is not trusted here: they are checked again, and a symbolic link that lies in the
 * folder is not followed. A file appears under its name by a rename, once it is complete.
 */
import { constants, createWriteStream } from 'node:fs'
import {
  chmod,
  type FileHandle,
  lstat,
  lutimes,
  mkdir,
  open,
  realpath,
  rename,
  stat,
  symlink,
  unlink,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Env } from '../env.ts'
import type { Attributes } from '../file-attributes.ts'
import { parsePathName } from '../ring/path-name.ts'

export class TargetFolder {
  readonly #env: Env
  readonly #root: string
  /** Folders below the root that were seen to be folders, so that each is checked once. */
  readonly #checked = new Map<string, Promise<void>>()

  constructor(components: { readonly env: Env }, init: { readonly root: string }) {
    this.#env = components.env
    this.#root = init.root
  }

  /**
   * Where the file with this relative path goes; its folders are made.
   * @throws when the path leads out, or a file or link stands where a folder is needed.
   */
  async place(path: string): Promise<string> {
    const segments = parsePathName(path).split('/')
    await mkdir(this.#root, { recursive: true })
    for (let depth = 1; depth < segments.length; depth += 1) {
      const folder = segments.slice(0, depth).join('/')
      let check = this.#checked.get(folder)
      if (check === undefined) {
        check = makeFolder(this.#root, folder)
        this.#checked.set(folder, check)
      }
      await check
    }
    return join(this.#root, ...segments)
  }

  /** Writes a body to the file with this relative path, replacing what is there. */
  async write(
    path: string,
    body: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
    attributes?: Partial<Attributes>,
  ): Promise<void> {
    const place = await this.place(path)
    const info = await lstat(place).catch(() => undefined)
    if (info && !info.isFile() && !info.isDirectory() && !info.isSymbolicLink())
      throw new Error(`${place} is not a regular file`)
    await writeWhole(this.#env, place, body, signal, attributes)
  }

  /** Makes the folder with this relative path, where there is none. @throws as `place`. */
  async makeFolder(path: string): Promise<void> {
    await this.place(path)
    await makeFolder(this.#root, path)
  }

  /** Gives what is at a relative path its mode and time; of a link the time alone, and never of what it leads to. */
  async setAttributes(path: string, { mode, mtimeNs }: Partial<Attributes>): Promise<void> {
    const place = await this.place(path)
    if (mode !== undefined && !(await lstat(place)).isSymbolicLink()) await chmod(place, mode)
    if (mtimeNs !== undefined) await setTime(place, mtimeNs)
  }

  /** Makes a symbolic link, in the place of a file or of another link. Whatever it leads to is not looked at. */
  async link(path: string, target: Buffer, mtimeNs: bigint | undefined): Promise<void> {
    const place = await this.place(path)
    const info = await lstat(place).catch(() => undefined)
    if (info?.isDirectory()) throw new Error(`${place} is a folder`)
    const temporary = temporaryBeside(this.#env, place)
    await symlink(target, temporary)
    try {
      if (mtimeNs !== undefined) await setTime(temporary, mtimeNs)
      await rename(temporary, place)
    } catch (error) {
      await unlink(temporary).catch(() => {})
      throw error
    }
  }
}

function temporaryBeside(env: Env, place: string): string {
  const random = Buffer.from(env.randomness.bytes(8)).toString('hex')
  return join(dirname(place), `.altered-chord-${random}.part`)
}

/**
 * Writes to the file that a person named: through a symbolic link to what it leads to, and into a FIFO or a device as it
 * stands, since those are there to be written to and not to be replaced.
 */
export async function writeTo(
  env: Env,
  file: string,
  body: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  const info = await stat(file).catch(() => undefined)
  if (info === undefined && (await lstat(file).catch(() => undefined)) !== undefined)
    throw new Error(`${file} is a symbolic link to nothing`)
  if (info === undefined || info.isDirectory()) return writeWhole(env, file, body, signal)
  if (info.isFile()) return writeWhole(env, await realpath(file), body, signal)
  if (!info.isFIFO() && !info.isCharacterDevice()) throw new Error(`${file} is not a regular file`)
  const reader = info.isFIFO() ? await findReader(file) : undefined
  try {
    await pipeline(body, createWriteStream(file, { flags: 'r+' }), { signal })
  } finally {
    await reader?.close()
  }
}

/** Without a reader, the bytes would be gone when the FIFO is closed. @throws when there is none. */
async function findReader(file: string): Promise<FileHandle> {
  try {
    return await open(file, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    throw new Error(`nobody reads from the FIFO ${file}`, { cause: error })
  }
}

/**
 * Writes a file under a temporary name beside its own, and renames it when it is complete. A failure leaves nothing.
 */
export async function writeWhole(
  env: Env,
  file: string,
  body: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
  attributes: Partial<Attributes> = {},
): Promise<void> {
  const info = await lstat(file).catch(() => undefined)
  if (info?.isDirectory() || (await stat(file).catch(() => undefined))?.isDirectory())
    throw new Error(`${file} is a folder`)
  const folder = await stat(dirname(file)).catch(() => undefined)
  if (folder === undefined) throw new Error(`there is no folder ${dirname(file)}`)
  const temporary = temporaryBeside(env, file)
  try {
    // Opened beforehand: a body that fails at once would be told before the file is there to be taken away.
    await pipeline(body, (await open(temporary, 'wx')).createWriteStream(), { signal })
    // Who may read a file does not change because its content does.
    const mode = attributes.mode ?? (info?.isFile() ? info.mode & 0o777 : undefined)
    if (mode !== undefined) await chmod(temporary, mode)
    if (attributes.mtimeNs !== undefined) await setTime(temporary, attributes.mtimeNs)
    await rename(temporary, file)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
}

async function makeFolder(root: string, folder: string): Promise<void> {
  const place = join(root, folder)
  try {
    await mkdir(place)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const info = await lstat(place)
    if (info.isSymbolicLink()) throw new Error(`${place} is a symbolic link, which is not followed`)
    if (!info.isDirectory()) throw new Error(`${place} is a file, so nothing can be below it`)
  }
}

/**
 * Tells apart the files of a sorted list that cannot lie in one folder together: of `a` and `a/b` the first wins.
 * Feed it every path in the byte order of a list; it answers with the file that stands in the way.
 */
export function conflictFinder(): (path: string) => string | undefined {
  // In byte order, everything that begins with `a` comes in one run, so only the beginnings of the run are kept.
  const beginnings: string[] = []
  return path => {
    while (beginnings.length > 0 && !path.startsWith(beginnings.at(-1) as string)) beginnings.pop()
    const inTheWay = beginnings.find(beginning => path.startsWith(`${beginning}/`))
    if (inTheWay === undefined) beginnings.push(path)
    return inTheWay
  }
}

/** Sets the time of a file, folder or link, and not of what a link leads to. */
export async function setTime(place: string, mtimeNs: bigint): Promise<void> {
  // Node.js takes a number below 0 for the present; a Date has milliseconds only.
  const time = mtimeNs < 0n ? new Date(Number(mtimeNs / 1_000_000n)) : Number(mtimeNs) / 1e9
  await lutimes(place, time, time)
}
