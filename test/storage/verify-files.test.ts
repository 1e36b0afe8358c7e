import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { LmdbStorage } from '../../src/storage/lmdb-storage.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { BLOCK_BYTES } from '../../src/storage/record.ts'
import { type VerifiedFile, verifyFiles } from '../../src/storage/verify-files.ts'
import { bodyOf, put } from './conformance.ts'

const never = new AbortController().signal

async function all(files: AsyncIterable<VerifiedFile>): Promise<VerifiedFile[]> {
  const found: VerifiedFile[] = []
  for await (const file of files) found.push(file)
  return found
}

t.test('good files are named in order, with their size and no fault', async t => {
  const storage = new MemoryStorage({ env: realEnv() })
  t.same(await all(verifyFiles(storage, never)), [])
  for (const size of [0, 7, 3 * BLOCK_BYTES]) await put(storage, `files/${size}`, bodyOf(size))
  t.same(await all(verifyFiles(storage, never)), [
    { path: 'files/0', size: 0, fault: undefined },
    { path: 'files/3145728', size: 3 * BLOCK_BYTES, fault: undefined },
    { path: 'files/7', size: 7, fault: undefined },
  ])
})

t.test('a damaged file is named with its fault, and the walk goes on', async t => {
  const directory = join(t.testdir(), 'data')
  const storage = await LmdbStorage.open({ env: realEnv() }, { directory })
  t.teardown(() => storage.close())
  await put(storage, 'a', 'small')
  await put(storage, 'b', bodyOf(2 * BLOCK_BYTES))
  await put(storage, 'c', 'small')
  const entries = await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true })
  const [blob] = entries.filter(entry => entry.isFile())
  const file = await open(join(blob?.parentPath ?? '', blob?.name ?? ''), 'r+')
  await file.write(Buffer.of(1, 2, 3), 0, 3, BLOCK_BYTES + 5)
  await file.close()
  const found = await all(verifyFiles(storage, never))
  t.same(
    found.map(({ path, fault }) => [path, fault?.code]),
    [
      ['a', undefined],
      ['b', 'CORRUPT'],
      ['c', undefined],
    ],
  )
})

t.test('bytes that pass their block checksums and not the hash are a fault', async t => {
  const storage = new MemoryStorage({ env: realEnv() })
  const body = await storage.stage(
    (async function* () {
      yield bodyOf(100)
    })(),
    { sizeMax: 100 },
  )
  Object.assign(body, { sha256: '0'.repeat(64) })
  const meta = { mediaType: '' }
  await storage.commit({ kind: 'put', path: parsePathName('a'), condition: 'none', body, meta })
  const [found] = await all(verifyFiles(storage, never))
  t.match(found?.fault, { code: 'CORRUPT', path: 'a', message: /SHA-256/ })
})

t.test('files that go away meanwhile are left out', async t => {
  const storage = new MemoryStorage({ env: realEnv() })
  for (const path of ['a', 'b', 'c']) await put(storage, path, path)
  const found: string[] = []
  for await (const { path } of verifyFiles(storage, never)) {
    found.push(path)
    if (path === 'a') await storage.commit({ kind: 'remove', path: parsePathName('b'), condition: 'none' })
  }
  t.same(found, ['a', 'c'])
})

t.test('it ends when it is told to', async t => {
  const storage = new MemoryStorage({ env: realEnv() })
  for (const path of ['a', 'b', 'c']) await put(storage, path, path)
  const controller = new AbortController()
  const files = verifyFiles(storage, controller.signal)
  await files.next()
  controller.abort(new Error('enough'))
  await t.rejects(files.next(), { message: 'enough' })
})
