import t from 'tap'
import { giveBack } from '../../src/lent-memory.ts'
import { DownloadRoom } from '../../src/storage/download-room.ts'
import { BLOCK_BYTES } from '../../src/storage/record.ts'

t.test('so many downloads hold whole blocks, and one more when one has ended', async t => {
  const room = new DownloadRoom()
  let taken = 0
  while (room.tryTakeWhole()) taken++
  t.equal(taken, 16)
  room.giveWhole()
  t.ok(room.tryTakeWhole())
  t.notOk(room.tryTakeWhole())
})

t.test('four blocks are read at once, the others in the order in which they came', async t => {
  const room = new DownloadRoom()
  const begun: number[] = []
  const ends: (() => void)[] = []
  const work = Array.from({ length: 10 }, (_, i) =>
    room.withBlock(async block => {
      t.equal(block.length, BLOCK_BYTES)
      begun.push(i)
      await new Promise<void>(resolve => ends.push(resolve))
    }),
  )
  t.same(begun, [0, 1, 2, 3])
  for (let i = 0; i < 10; i++) {
    ends[i]?.()
    await work[i]
    await new Promise(resolve => setImmediate(resolve))
    t.equal(begun.length, Math.min(10, i + 5))
  }
  t.same(begun, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

t.test('work that fails makes room for the next', async t => {
  const room = new DownloadRoom()
  const fails = () => room.withBlock(() => Promise.reject(new Error('no disk')))
  for (let i = 0; i < 5; i++) await t.rejects(fails(), { message: 'no disk' })
  t.equal(await room.withBlock(async () => 'done'), 'done')
})

t.test('a block that was given back is lent again, to one reader', t => {
  const room = new DownloadRoom()
  const first = room.lend(BLOCK_BYTES)
  t.not(room.lend(BLOCK_BYTES).buffer, first.buffer, 'not while somebody has it')
  giveBack(first.subarray(3, 5))
  giveBack(first)
  t.equal(room.lend(BLOCK_BYTES).buffer, first.buffer, 'a part of it stands for all of it')
  t.not(room.lend(BLOCK_BYTES).buffer, first.buffer, 'though it was given back twice')
  t.end()
})

t.test('what is no lent block can be given back without harm', t => {
  const room = new DownloadRoom()
  const small = room.lend(BLOCK_BYTES - 1)
  t.equal(small.length, BLOCK_BYTES - 1)
  giveBack(small)
  giveBack(Buffer.from('of the pool of Node.js'))
  t.not(room.lend(BLOCK_BYTES).buffer, small.buffer)
  t.end()
})
