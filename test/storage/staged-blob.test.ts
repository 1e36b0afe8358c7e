import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { realEnv } from '../../src/env.ts'
import { BlobFiles } from '../../src/storage/blob-files.ts'
import { FreeSpace } from '../../src/storage/disk-errors.ts'
import { LmdbIndex } from '../../src/storage/lmdb-index.ts'
import { StagedBlob } from '../../src/storage/staged-blob.ts'
import { bodyOf } from './conformance.ts'

const SPACE = new FreeSpace(realEnv(), { folder: '.' })

async function components(t: Test) {
  const directory = t.testdir()
  const index = await LmdbIndex.open(join(directory, 'index.mdb'), 'node', SPACE)
  t.teardown(() => index.close())
  return { env: realEnv(), directory, index, files: await BlobFiles.open(directory) }
}

t.test('a blob is marked from before it has its name until a commit takes the mark away', async t => {
  const parts = await components(t)
  const blob = new StagedBlob(parts)
  const file = await blob.begin()
  await file.write(bodyOf(10))
  const blobId = await blob.finish('hash')
  t.same(parts.index.unsettledBlobs(), [blobId])
  t.same(await readdir(join(parts.directory, 'blobs', blobId.slice(0, 2))), [blobId])
})

t.test('an abandoned blob names what is left to remove, whenever that is', async t => {
  const parts = await components(t)
  const untouched = new StagedBlob(parts)
  t.same(await untouched.abandon(new Error()), [])
  await t.rejects(untouched.finish('hash'), TypeError)

  const begun = new StagedBlob(parts)
  await begun.begin()
  const left = await begun.abandon(new Error())
  t.same(left, parts.index.unsettledBlobs())
  t.equal(left.length, 1)
  t.same(await readdir(join(parts.directory, 'staging')), [])
})
