/**
 * A look at the head of an LMDB file before LMDB maps it: a file that is not one, or that was cut off, would end
 * the process with a signal there instead of an error.
 *
 * The layout is that of liblmdb's mdb.c (MDB_page, MDB_meta, MDB_db): two pages of meta data, each a page header of 24
 * bytes, then the magic number, the version, and the tables of free pages and of everything else with their roots.
 */
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreError } from '../errors.ts'

const MAGIC = 0xbeefc0de
const MAGIC_AT = 24
const PAGE_BYTES_AT = 48
const ROOTS_AT = [88, 136]
const META_BYTES = 160

/** The root of a table without entries. */
const NO_PAGE = -1n

/** @throws StoreError CORRUPT. A missing or empty file is fine: LMDB makes a new index of it. */
export async function checkIndexFile(file: string): Promise<void> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!handle) return
  try {
    const { size } = await handle.stat()
    if (size === 0) return
    const first = Buffer.alloc(META_BYTES)
    await handle.read(first, 0, META_BYTES, 0)
    const pageBytes = first.readUInt32LE(PAGE_BYTES_AT)
    const second = Buffer.alloc(META_BYTES)
    await handle.read(second, 0, META_BYTES, pageBytes)
    for (const meta of [first, second]) {
      if (meta.readUInt32LE(MAGIC_AT) !== MAGIC) throw corrupt(file, 'it is not an index')
      for (const at of ROOTS_AT) {
        const root = meta.readBigInt64LE(at)
        if (root !== NO_PAGE && (root + 1n) * BigInt(pageBytes) > size) throw corrupt(file, 'it was cut off')
      }
    }
  } finally {
    await handle.close()
  }
}

/**
 * Refuses a data directory whose index is gone: it would start as a new, empty disk, though bodies lie in it. A fresh one, and
 * one whose first start broke off, have nothing of what is made after the index.
 * @throws StoreError CORRUPT, with what there is to do.
 */
export async function refuseLostIndex(directory: string): Promise<void> {
  const file = join(directory, 'index.mdb')
  const index = await stat(file).catch(ifMissing)
  if (index !== undefined && index.size > 0) return
  const left = (await hasBodies(join(directory, 'blobs'))) ? 'blobs/' : undefined
  const reserve = await stat(join(directory, 'reserve')).catch(ifMissing)
  const found = left ?? (reserve === undefined ? undefined : 'reserve')
  if (found === undefined) return
  const what = index === undefined ? 'is missing' : 'is empty'
  throw new StoreError(
    'CORRUPT',
    `The index ${file} ${what}, though "${found}" shows that there was one. Put it back; or, when it is lost, move ` +
      `${directory} away: the node then joins anew with an empty one and gets its files from the others. ` +
      'A node that was alone has lost its files.',
  )
}

async function hasBodies(blobs: string): Promise<boolean> {
  for (const folder of (await readdir(blobs).catch(ifMissing)) ?? []) {
    const names = await readdir(join(blobs, folder)).catch(() => ['something else'])
    if (names.length > 0) return true
  }
  return false
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

function corrupt(file: string, why: string): StoreError {
  return new StoreError('CORRUPT', `The index ${file} can't be read: ${why}.`)
}
