/**
 * The data directory as a whole: that it is ours, in a format that we know, and used by one process at a time.
 *
 * The lock is one of the operating system (open file description locks on Linux), so that a killed process has let go
 * of it at once, and two containers that share a volume see each other's (docs/decisions/0011-directory-lock.md).
 */
import { constants } from 'node:fs'
import {
  access,
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import locks from 'fs-native-extensions'
import { StoreError } from '../errors.ts'
import { diskError } from './disk-errors.ts'

/**
 * Raised when what is on disk changes in a way that an older program would misread. 3: notes of records have a checksum, and there
 * is a trash. 4: what of a view moves with every write lies beside its state.
 */
export const FORMAT = 4

const LOCK_FILE = 'lock'
const FORMAT_FILE = 'altered-chord.json'

/** There while a directory is emptied. */
const ERASING_FILE = 'erasing'

export class DataDirectory {
  readonly path: string
  readonly #lock: FileHandle

  private constructor(path: string, lock: FileHandle) {
    this.path = path
    this.#lock = lock
  }

  /**
   * Takes a directory for this process; makes it when it is missing.
   * @throws StoreError UNAVAILABLE with a sentence that names the directory and what is wrong: in use by another
   *   process, holding something else, a newer format, not writable. DISK_FULL.
   */
  static async open(path: string): Promise<DataDirectory> {
    try {
      await makePrivate(path)
      await refuseForeign(path)
      const lock = await takeLock(path)
      try {
        await hideFromOthers(path)
        if (await isThere(join(path, ERASING_FILE))) await eraseStorage(path)
        await writeFormat(path)
      } catch (error) {
        await lock.close()
        throw error
      }
      return new DataDirectory(path, lock)
    } catch (error) {
      const refusal = diskError(error, `The data directory ${path} can't be used`)
      // Whatever else the system has against it (a file in its place, a name too long) is news for the operator.
      throw refusal instanceof Error && 'syscall' in refusal ? unusable(path, refusal.message) : refusal
    }
  }

  /** Lets go of the directory. */
  async close(): Promise<void> {
    await this.#lock.close()
  }
}

/** Everything that a store keeps in its directory, in an order that leaves a store or nothing whenever it breaks off. */
const CONTENTS = ['index.mdb', 'index.mdb-lock', 'blobs', 'staging', 'reserve', FORMAT_FILE, ERASING_FILE]

/**
 * Empties a data directory that nobody has open; the next start finds a fresh disk. What others have put there stays.
 */
export async function eraseStorage(path: string): Promise<void> {
  // What is left when this breaks off is no store that has lost its index: the next start goes on with it.
  await writeFile(join(path, ERASING_FILE), '')
  await syncDirectory(path)
  for (const name of CONTENTS) await rm(join(path, name), { recursive: true, force: true })
  await syncDirectory(path)
}

/** What a start of a node finds in the place of its data directory. */
export type Place = 'missing' | 'empty' | 'taken'

export async function placeAt(path: string): Promise<Place> {
  const names = await readdir(path).catch(() => undefined)
  if (names === undefined) return (await isThere(path)) ? 'taken' : 'missing'
  return names.length === 0 ? 'empty' : 'taken'
}

/** Makes a place what it was before a start that was refused, unless another start has taken it meanwhile. */
export async function leavePlace(path: string, before: Place): Promise<void> {
  if (before === 'taken') return
  const lock = await takeLock(path).catch(error => {
    if (error instanceof StoreError) return undefined
    throw error
  })
  if (lock === undefined) return
  try {
    await eraseStorage(path)
    await rm(join(path, LOCK_FILE), { force: true })
    if (before === 'missing') await rmdir(path)
  } finally {
    await lock.close()
  }
}

/** Makes a directory and those above it that are missing, with names that outlast a power cut. */
async function makeDurably(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = resolve(path); ; made = dirname(made)) {
    await syncDirectory(dirname(made))
    if (made === resolve(first) || made === dirname(made)) return
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** Whatever the umask: the directory holds all files, tokens or not. */
async function makePrivate(path: string): Promise<void> {
  const before = await stat(path).catch(() => undefined)
  if (before !== undefined && !before.isDirectory()) throw unusable(path, 'it is a file, and not a folder')
  if (before !== undefined) return
  await refuseDanglingLinks(path)
  const parent = await existingParent(dirname(resolve(path)))
  if (!(await stat(parent)).isDirectory()) throw unusable(path, `${parent} is a file, and not a folder`)
  // The system's own word on the parent: of a disk that is read-only, mkdir says ENOENT.
  await access(parent, constants.W_OK)
  if ((await statfs(parent)).type === PROC_MAGIC) throw unusable(path, `${parent} takes no folders`)
  await makeDurably(path)
}

/** The file system of /proc (statfs(2)): mkdir below it never returns in Node.js. */
const PROC_MAGIC = 0x9fa0

async function existingParent(path: string): Promise<string> {
  if ((await stat(path).catch(() => undefined)) !== undefined || dirname(path) === path) return path
  return existingParent(dirname(path))
}

/** @throws StoreError UNAVAILABLE when a link that leads nowhere is in the place of the directory, or of one above it. */
async function refuseDanglingLinks(path: string): Promise<void> {
  for (let place = resolve(path); dirname(place) !== place; place = dirname(place)) {
    if ((await stat(place).catch(() => undefined)) !== undefined) return
    const link = await lstat(place).catch(() => undefined)
    if (link?.isSymbolicLink()) throw unusable(path, `${place} is a link that leads nowhere`)
  }
}

/**
 * Takes the directory and what is in it from everybody but its owner. The directory comes last, so that a start that was
 * cut off is made good by the next; what belongs to somebody else is left, and what is in it is still repaired.
 */
async function hideFromOthers(path: string): Promise<void> {
  if (((await stat(path)).mode & 0o077) === 0) return
  const hide = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const place = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (entry.name === 'lost+found') continue
        await chmod(place, 0o700)
        await hide(place)
      } else if (entry.isFile()) await chmod(place, 0o600)
    }
  }
  await hide(path)
  await chmod(path, 0o700).catch(error => {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
  })
}

async function refuseForeign(path: string): Promise<void> {
  const format = await readFormat(path)
  if (format === undefined) {
    // A fresh volume has a lost+found, and a start that broke off before the format was written leaves the lock.
    const own = new Set(['lost+found', LOCK_FILE, ERASING_FILE, `${FORMAT_FILE}.new`])
    const foreign = (await readdir(path)).find(name => !own.has(name))
    if (foreign === undefined) return
    throw unusable(path, `it holds something else, "${foreign}"; choose an empty one or one of altered-chord`)
  }
  if (!Number.isInteger(format)) throw unusable(path, `its ${FORMAT_FILE} names no format`)
  if ((format as number) > FORMAT) {
    throw unusable(
      path,
      `it was written by a newer version (format ${format}, this one knows up to ${FORMAT})`,
    )
  }
}

/** The format that the directory names; undefined when it names none, null when what it says makes no sense. */
async function readFormat(path: string): Promise<unknown> {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(path, FORMAT_FILE), 'utf8'))
    return (parsed as { format?: unknown } | null)?.format ?? null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (error instanceof SyntaxError) return null
    throw error
  }
}

async function writeFormat(path: string): Promise<void> {
  // An older format is read as it is, and everything that is written from now on is in this one.
  if ((await readFormat(path)) === FORMAT) return
  const temporary = join(path, `${FORMAT_FILE}.new`)
  const file = await open(temporary, 'w')
  try {
    await file.writeFile(`${JSON.stringify({ program: 'altered-chord', format: FORMAT })}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(path, FORMAT_FILE))
  await syncDirectory(path)
}

async function takeLock(path: string): Promise<FileHandle> {
  const lock = await open(join(path, LOCK_FILE), 'a+')
  try {
    if (!locks.tryLock(lock.fd)) {
      const pid = (await lock.readFile('utf8')).trim()
      const holder = /^\d+$/.test(pid) ? `process ${pid}` : 'another process'
      throw unusable(path, `${holder} is using it`)
    }
    // A start that was refused removes the file with its lock on it: a lock on what it has removed keeps nobody out.
    if ((await lock.stat()).nlink === 0)
      throw unusable(path, 'another process has just given it up; start again')
    await lock.truncate(0)
    await lock.write(`${process.pid}\n`)
    return lock
  } catch (error) {
    await lock.close()
    throw error
  }
}

function unusable(path: string, why: string): StoreError {
  return new StoreError('UNAVAILABLE', `The data directory ${path} can't be used: ${why}.`)
}

/** Makes the names in a directory durable: a rename or a new file is only safe after this. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Why a node whose disk is a copy ends, and how a person goes on. */
export const COPY_REFUSED =
  'this data directory is a copy, or was restored, and has missed what was promised since: empty it and start again, and the node joins anew and gets its files from the others'
