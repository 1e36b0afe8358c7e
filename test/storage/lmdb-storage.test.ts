import { join } from 'node:path'
import t from 'tap'
import { LmdbStorage } from '../../src/storage/lmdb-storage.ts'
import { storageConformance } from './conformance.ts'

storageConformance(t, async (t, { env, outcomesMax }) => {
  const directory = join(t.testdir(), 'data')
  const storage = await LmdbStorage.open(
    { env },
    { directory, ...(outcomesMax !== undefined && { outcomesMax }) },
  )
  t.teardown(() => storage.close())
  return storage
})
