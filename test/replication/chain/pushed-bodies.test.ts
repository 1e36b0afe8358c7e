import t from 'tap'
import { PushedBodies } from '../../../src/replication/chain/pushed-bodies.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { manualEnv } from '../../manual-env.ts'

const blobId = 'b'.repeat(32) as BlobId
const never = () => new Promise<never>(() => {})

/** Rejects when it is aborted, as a store does whose body stands still. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

async function* standing() {
  yield Buffer.from('some')
  await never()
}

t.test('only one that waits for its sender gives way', async t => {
  for (const slow of ['nothing', 'sender', 'disk']) {
    const env = manualEnv()
    const pushed = new PushedBodies(env)
    async function* sender() {
      for (let piece = 0; slow === 'sender' && piece < 4; piece++) {
        yield Buffer.from('more')
        await env.timers.sleep(1_500)
      }
      yield* standing()
    }
    const first = pushed.take(blobId, sender(), undefined, async (bytes, signal) => {
      const store = async () => {
        for await (const _ of bytes) if (slow === 'disk') await env.timers.sleep(7_000)
      }
      return Promise.race([store(), untilAborted(signal)])
    })
    const end = first.catch((error: Error) => error.message)
    await env.advance(10)
    let isOver = false
    void pushed.outlast(blobId)?.then(() => {
      isOver = true
    })
    await env.advance(1_900)
    t.notOk(isOver, slow)
    await env.advance(3_000)
    t.equal(isOver, slow === 'nothing', slow)
    await env.advance(8_000)
    t.equal(await end, 'The sender of a body stands still.')
    t.equal(pushed.outlast(blobId), undefined)
    t.equal(env.waiting, 0)
  }
})

t.test('a push that stands still goes on as long as no other waits, and ends with its asker', async t => {
  const env = manualEnv()
  const pushed = new PushedBodies(env)
  const asker = new AbortController()
  let isOver = false
  const push = pushed
    .take(blobId, standing(), asker.signal, (_, signal) => untilAborted(signal))
    .catch((error: Error) => error.message)
    .finally(() => {
      isOver = true
    })
  await env.advance(60_000)
  t.notOk(isOver)
  const other = new AbortController()
  const waiting = async () => pushed.outlast(blobId, other.signal)
  const left = waiting()
  await env.advance(1_000)
  other.abort(new Error('The other one has gone.'))
  await t.rejects(left, { message: 'The other one has gone.' })
  t.equal(env.waiting, 0)
  await t.rejects(waiting(), { message: 'The other one has gone.' })
  await env.advance(60_000)
  t.notOk(isOver)
  asker.abort(new Error('The asker has gone.'))
  t.equal(await push, 'The asker has gone.')
  t.equal(pushed.outlast(blobId), undefined)
})
