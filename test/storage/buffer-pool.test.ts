import t from 'tap'
import { BufferPool } from '../../src/storage/buffer-pool.ts'

t.test('a buffer that was given back is taken again, up to the limit', async t => {
  const pool = new BufferPool({ bufferBytes: 10, freeMax: 1 })
  const [first, second] = [pool.take(), pool.take()]
  t.equal(first.length, 10)
  t.not(first, second)
  pool.give(first)
  pool.give(second)
  t.equal(pool.take(), first)
  t.not(pool.take(), second)
})
