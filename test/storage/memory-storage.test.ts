import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { storageConformance } from './conformance.ts'

storageConformance(t, async t => {
  const storage = new MemoryStorage({ env: realEnv() })
  t.teardown(() => storage.close())
  return storage
})

t.test('memory is not stable storage, and says so', async t => {
  t.equal(new MemoryStorage({ env: realEnv() }).statistics().durable, false)
})
