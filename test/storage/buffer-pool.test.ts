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

t.test('so many buffers or none are lent, up to a bound', t => {
  const pool = new BufferPool({ bufferBytes: 10, freeMax: 1, takenMax: 3 })
  const lent = pool.tryTake(2)
  t.equal(lent.length, 2)
  t.same(pool.tryTake(2), [])
  for (const buffer of lent) pool.give(buffer)
  t.equal(pool.tryTake(2).length, 2)
  t.end()
})
