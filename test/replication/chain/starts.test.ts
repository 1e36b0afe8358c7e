import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { drawnNonce, lastStart, noteStart } from '../../../src/replication/chain/starts.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { diskBootOf, goesOnFrom } from '../../../src/views/boot.ts'
import type { Boot } from '../../../src/views/view.ts'

t.test('each start is noted, and goes on from the one before', async t => {
  const env = realEnv()
  const { replica: store } = new MemoryStorage({ env })
  t.equal(lastStart(store), undefined)
  await noteStart({ store, env }, 1)
  const first = lastStart(store) as Boot
  await noteStart({ store, env }, 2)
  const second = lastStart(store) as Boot
  t.same([diskBootOf(first), diskBootOf(second)], [1, 2])
  t.equal(goesOnFrom(second, first), true)
  t.match(drawnNonce(env.randomness), /^[0-9a-f]{16}$/)
})

t.test('a start that the disk refuses to note is none to go on from', async t => {
  const warned: string[] = []
  const env = realEnv({ debug() {}, info() {}, error() {}, warn: (_fields, message) => warned.push(message) })
  const store = { values: () => [], apply: () => Promise.reject(new Error('full')) }
  await noteStart({ store: store as never, env }, 1)
  t.equal(warned.length, 1)
})
