import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { replicaConformance } from './replica-conformance.ts'

replicaConformance(t, async t => {
  const storage = new MemoryStorage({ env: realEnv() })
  t.teardown(() => storage.close())
  return storage
})
