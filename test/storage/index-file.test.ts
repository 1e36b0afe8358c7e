import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { FreeSpace } from '../../src/storage/disk-errors.ts'
import { checkIndexFile, refuseLostIndex } from '../../src/storage/index-file.ts'
import { LmdbIndex } from '../../src/storage/lmdb-index.ts'

const SPACE = new FreeSpace(realEnv(), { folder: '.' })

t.test('a missing, an empty and a real index are fine', async t => {
  const directory = t.testdir({ empty: '' })
  await checkIndexFile(join(directory, 'missing'))
  await checkIndexFile(join(directory, 'empty'))
  const file = join(directory, 'index.mdb')
  await (await LmdbIndex.open(file, 'node', SPACE)).close()
  await checkIndexFile(file)
})

t.test('what LMDB would die of is refused by name', async t => {
  const directory = t.testdir()
  const file = join(directory, 'index.mdb')
  await (await LmdbIndex.open(file, 'node', SPACE)).close()
  const good = await readFile(file)
  const filled = (from: number, to: number) => Buffer.from(good).fill('x', from, to)
  const faults: [string, Buffer, RegExp][] = [
    ['something else', Buffer.alloc(100_000, 'no index'), /not an index/],
    ['zeros', Buffer.alloc(100_000), /not an index/],
    ['a line of text', Buffer.from('hello'), /not an index/],
    ['first page damaged', filled(0, 4096), /not an index/],
    ['second page damaged', filled(4096, 8192), /not an index/],
    ['cut off in the second page', good.subarray(0, 4100), /cut off/],
    ['cut off after the meta data', good.subarray(0, 8192), /cut off/],
  ]
  for (const [name, bytes, message] of faults) {
    await writeFile(file, bytes)
    await t.rejects(checkIndexFile(file), { code: 'CORRUPT', message }, name)
    await t.rejects(LmdbIndex.open(file, 'node', SPACE), { code: 'CORRUPT', message: /index\.mdb/ }, name)
  }
})

t.test('an index that is gone is missed, and one that never was is not', async t => {
  const blobs = { ab: { abcd: 'x' } }
  for (const lost of [{ blobs }, { blobs, 'index.mdb': '' }, { blobs: { ab: {} }, reserve: 'x' }]) {
    const directory = t.testdir(lost)
    await t.rejects(refuseLostIndex(directory), {
      code: 'CORRUPT',
      message: /index\.mdb is (missing|empty).*move/,
    })
  }
  for (const fine of [{}, { blobs: { ab: {} }, staging: {} }, { blobs, 'index.mdb': 'something' }])
    await refuseLostIndex(t.testdir(fine))
})
