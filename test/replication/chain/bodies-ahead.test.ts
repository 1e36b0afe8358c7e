import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { BodiesAhead, type SendAhead } from '../../../src/replication/chain/bodies-ahead.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import type { GrowingBody } from '../../../src/storage/storage.ts'
import type { NodeId } from '../../../src/views/view.ts'
import { bodyOf, chunksOf, sha256Of } from '../../storage/conformance.ts'
import { node } from './bench.ts'

const bytes = bodyOf(10_000)
const sha256 = Promise.resolve(sha256Of(bytes))
const nodes = ['n1', 'n2', 'n3'].map(node)

function body(digit: string): GrowingBody {
  const blobId = digit.repeat(32) as BlobId
  return { blobId, sha256, follow: () => chunksOf(bytes) }
}

/** What is sent waits until a test lets it go on. */
function held() {
  const sent: { to: NodeId; blobId: BlobId; onward: readonly NodeId[]; signal: AbortSignal; end(): void }[] =
    []
  const send: SendAhead = (to, blobId, _bytes, onward, signal) =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      sent.push({ to, blobId, onward, signal, end: resolve })
    })
  return { sent, ahead: new BodiesAhead({ send }) }
}

async function isOver(promise: Promise<void>): Promise<boolean> {
  let over = false
  void promise.then(() => {
    over = true
  })
  await new Promise(resolve => setImmediate(resolve))
  return over
}

t.test('a body goes to the first node, sealed, with the names of the others', async t => {
  const arrived: unknown[] = []
  const ahead = new BodiesAhead({
    send: async (to, blobId, body, onward) => {
      arrived.push([to, blobId, onward, (await buffer(body)).length])
    },
  })
  await ahead.send(body('a'), nodes, sha256)
  await ahead.send(body('b'), [], sha256)
  t.same(arrived, [['n1', 'a'.repeat(32), ['n2', 'n3'], bytes.length + 32]])
  t.equal(ahead.count, 0)
})

t.test('who wants to push waits for what is on its way to the same node', async t => {
  const { sent, ahead } = held()
  const { blobId } = body('a')
  const sending = ahead.send(body('a'), nodes, sha256)
  const ended = ahead.ended(node('n2'), blobId)
  t.notOk(await isOver(ended))
  t.ok(await isOver(ahead.ended(node('n4'), blobId)), 'another node')
  t.ok(await isOver(ahead.ended(node('n2'), body('b').blobId)), 'another body')
  sent[0]?.end()
  await Promise.all([sending, ended])
})

t.test('a node that falls silent or is not wanted holds up nobody behind it', async t => {
  const { sent, ahead } = held()
  const through = ahead.send(body('a'), nodes, sha256)
  const beside = ahead.send(body('b'), nodes.slice(2), sha256)
  ahead.leaveWays(body('a').blobId, () => true)
  ahead.leaveWays(body('b').blobId, each => each !== 'n2')
  t.notOk(await isOver(through))
  ahead.leaveWays(body('a').blobId, each => each !== 'n2')
  await through
  t.match(
    sent.map(({ signal }) => signal.aborted),
    [true, false],
  )
  const stopping = new AbortController()
  const asked = ahead.send(body('c'), nodes, sha256, stopping.signal)
  stopping.abort()
  await asked
  sent[1]?.end()
  await beside
})

t.test('few are sent ahead at a time, the others are left to be pushed', async t => {
  const { sent, ahead } = held()
  const sending = [...'0123456789'].map(digit => ahead.send(body(digit), nodes, sha256))
  t.equal(sent.length, 8)
  t.ok(await isOver(Promise.all(sending.slice(8)).then(() => undefined)))
  for (const { end } of sent) end()
  await Promise.all(sending)
})

t.test('a body that broke off before anybody waited for its hash does no harm', async t => {
  const { ahead } = held()
  const broken = Promise.reject(new Error('broken'))
  await ahead.send({ ...body('a'), sha256: broken }, [], broken)
  t.equal(ahead.count, 0)
})
