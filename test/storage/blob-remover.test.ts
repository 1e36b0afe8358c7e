import t from 'tap'
import type { BlobFiles } from '../../src/storage/blob-files.ts'
import { BlobRemover } from '../../src/storage/blob-remover.ts'
import type { IndexWrite, LmdbIndex } from '../../src/storage/lmdb-index.ts'
import type { BlobId } from '../../src/storage/record.ts'

const id = (n: number) => n.toString(16).padStart(32, '0') as BlobId

function parts(remove: (blobIds: readonly BlobId[]) => Promise<void>) {
  const log: string[] = []
  const warnings: object[] = []
  const files = {
    async remove(blobIds: readonly BlobId[]) {
      await remove(blobIds)
      log.push(`removed ${blobIds.length}`)
    },
  } as unknown as BlobFiles
  const index = {
    async write({ settle = [] }: IndexWrite) {
      log.push(`settled ${settle.length}`)
    },
  } as unknown as LmdbIndex
  const silent = { debug() {}, info() {}, error() {}, warn: (fields: object) => warnings.push(fields) }
  return { remover: new BlobRemover({ files, index, log: silent }), log, warnings }
}

t.test('the mark goes after the file', async t => {
  const { remover, log } = parts(async () => undefined)
  await remover.add([])
  t.same(log, [])
  await remover.add([id(1), id(2)])
  await remover.idle()
  t.same(log, ['removed 2', 'settled 2'])
})

t.test('a file that cannot be removed keeps its mark, is logged, and stops nothing', async t => {
  let broken = true
  const { remover, log, warnings } = parts(async () => {
    if (broken) throw new Error('EIO')
  })
  await remover.add([id(1)])
  await remover.idle()
  t.same(log, [])
  t.match(warnings, [{ op: 'remove-blobs', count: 1 }])
  broken = false
  await remover.add([id(2)])
  await remover.idle()
  t.same(log, ['removed 1', 'settled 1'])
})

t.test('whoever adds to a long queue waits for it', async t => {
  let release = () => {}
  const { remover } = parts(
    () =>
      new Promise(resolve => {
        release = resolve
      }),
  )
  await remover.add([id(0)])
  let through = false
  const adding = remover.add(Array.from({ length: 1025 }, (_, i) => id(i + 1))).then(() => {
    through = true
  })
  await new Promise(resolve => setImmediate(resolve))
  t.notOk(through)
  while (!through) {
    release()
    await new Promise(resolve => setImmediate(resolve))
  }
  await adding
})
