import t from 'tap'
import { BATCH_BYTES_MAX, type Delivery, OUTBOX_MESSAGES_MAX, Outbox } from '../../src/peer/outbox.ts'

/** An outbox whose deliveries end when the test says so. */
function outboxUnderTest(hasRoom = () => false) {
  const batches: Uint8Array[][] = []
  const endings: ((delivery: Delivery) => void)[] = []
  const lost: [string, number][] = []
  const outbox = new Outbox({
    soon: then => void setImmediate(then),
    hasRoom,
    deliver: batch => {
      batches.push([...batch])
      return new Promise(resolve => endings.push(resolve))
    },
    lost: (how, messages) => lost.push([how, messages]),
  })
  const turn = () => new Promise(resolve => setImmediate(resolve))
  return { outbox, batches, endings, lost, turn }
}

const message = (value: number, bytes = 1) => new Uint8Array(bytes).fill(value)

t.test('what one event causes leaves in one request, what follows in the next, in order', async t => {
  const { outbox, batches, endings, turn } = outboxUnderTest()
  outbox.add(message(1))
  outbox.add(message(2))
  await turn()
  t.same(batches, [[message(1), message(2)]])
  outbox.add(message(3))
  outbox.add(message(4))
  await turn()
  t.equal(batches.length, 1, 'one request under way at a time')
  endings[0]?.('delivered')
  await turn()
  t.same(batches[1], [message(3), message(4)])
})

t.test('batches leave one behind the other while the carrier has room', async t => {
  let room = 2
  const { outbox, batches, endings, turn } = outboxUnderTest(() => batches.length - taken < room)
  let taken = 0
  for (let value = 1; value <= 4; value++) {
    outbox.add(message(value))
    await turn()
  }
  t.same(batches, [[message(1)], [message(2)]])
  room = 1
  taken++
  endings[0]?.('delivered')
  await turn()
  t.equal(batches.length, 2, 'no room')
  taken++
  endings[1]?.('delivered')
  await turn()
  t.same(batches[2], [message(3), message(4)])
})

t.test('a request is bounded in bytes; a larger message travels alone', async t => {
  const { outbox, batches, endings, turn } = outboxUnderTest()
  outbox.add(message(1, BATCH_BYTES_MAX + 1))
  outbox.add(message(2, BATCH_BYTES_MAX))
  outbox.add(message(3))
  for (let i = 0; i < 3; i++) {
    await turn()
    endings[i]?.('delivered')
  }
  t.same(
    batches.map(batch => batch.map(bytes => bytes[0])),
    [[1], [2], [3]],
  )
})

t.test('a lost batch is reported, and the next one is tried', async t => {
  const { outbox, batches, endings, lost, turn } = outboxUnderTest()
  outbox.add(message(1))
  await turn()
  outbox.add(message(2))
  endings[0]?.('refused')
  await turn()
  t.same(lost, [['refused', 1]])
  t.same(batches[1], [message(2)])
})

t.test('what waits is bounded: the oldest go first', async t => {
  const { outbox, turn } = outboxUnderTest()
  outbox.add(message(0))
  await turn()
  for (let i = 0; i < OUTBOX_MESSAGES_MAX + 5; i++) outbox.add(message(i % 256))
  t.equal(outbox.waiting, OUTBOX_MESSAGES_MAX)
})
