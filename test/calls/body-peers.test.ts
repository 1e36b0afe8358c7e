import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { type BodyPeersComponents, bodyPeers } from '../../src/calls/body-peers.ts'
import { type Env, realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import type { BlobId } from '../../src/storage/record.ts'
import { manualEnv } from '../manual-env.ts'

const blobId = 'b'.repeat(32) as BlobId

/** At a node that only pulls bodies. */
function pulling(
  { timers }: Pick<Env, 'timers'>,
  fetchBody: BodyPeersComponents['peers']['fetchBody'],
  { signal } = new AbortController(),
) {
  const never = () => t.fail() as never
  return bodyPeers({
    ...{ signal, timers, addressOf: () => 'there:1' as Address },
    peers: { call: never, stageBody: never, fetchBody },
  })
}

t.test('a node is reached at its address, and one without an address is not', async t => {
  const asked: unknown[] = []
  const made = bodyPeers({
    signal: new AbortController().signal,
    timers: realEnv().timers,
    addressOf: node => (node === 'known' ? ('there:1' as Address) : undefined),
    peers: {
      call: async (to, call) => {
        asked.push([to, call])
        return { has: true }
      },
      stageBody: async (to, name, announced) => {
        asked.push([to, name, announced])
        return { has: true }
      },
      fetchBody: async (from, name, first) => {
        asked.push([from, name, first])
        return Readable.from(['x'])
      },
    },
  })
  const known = 'known' as NodeId
  t.equal(await made.hasBody(known, blobId), true)
  await made.pushBody(known, { blobId, sha256: 's' }, Readable.from(['x']))
  const onward = ['n2'] as NodeId[]
  await made.sendAhead(known, blobId, Readable.from(['x']), onward, new AbortController().signal)
  await made.pullBody(known, blobId, { first: 7, isLastHope: true })
  t.same(asked, [
    ['there:1', { kind: 'has-body', blobId }],
    ['there:1', blobId, { sha256: 's' }],
    ['there:1', blobId, { onward }],
    ['there:1', blobId, 7],
  ])
  for (const attempt of [
    () => made.hasBody('x' as NodeId, blobId),
    () => made.pushBody('x' as NodeId, { blobId, sha256: 's' }, Readable.from(['x'])),
    () => made.pullBody('x' as NodeId, blobId, { first: 0, isLastHope: true }),
  ])
    await t.rejects(attempt() as Promise<unknown> as Promise<void>, { code: 'UNAVAILABLE' })
})

t.test(
  'a node that sends no byte of a body is waited for 3 s, and 15 s when it is the last hope',
  async t => {
    const env = manualEnv()
    const given: Readable[] = []
    const made = pulling(env, async () => {
      // The head of the answer is there, and nothing follows.
      const bytes = new Readable({ read() {} })
      given.push(bytes)
      return bytes
    })
    for (const [isLastHope, afterMs] of [
      [false, 3_000],
      [true, 15_000],
    ] as const) {
      let ended = ''
      const pulled = made.pullBody('n' as NodeId, blobId, { first: 0, isLastHope }).then(
        () => t.fail('it has begun'),
        error => {
          ended = error.code
        },
      )
      await env.advance(afterMs - 1)
      t.equal(ended, '')
      await env.advance(1)
      await pulled
      t.equal(ended, 'UNAVAILABLE')
    }
    t.ok(given.every(({ destroyed }) => destroyed))
    t.equal(env.waiting, 0)
  },
)

t.test('once the first bytes are there only the pauses count', async t => {
  const env = manualEnv()
  const source = new Readable({ read() {} })
  const limits: unknown[] = []
  const made = pulling(env, async (_from, _name, _first, { timeoutMs }) => {
    limits.push(timeoutMs)
    return source
  })
  const pulled = made.pullBody('n' as NodeId, blobId, { first: 0, isLastHope: false })
  await env.advance(2_000)
  source.push('some')
  const bytes = await pulled
  await env.advance(60_000)
  source.push(' more')
  source.push(null)
  t.equal(await text(bytes), 'some more')
  t.same(limits, [4_000])
  const broken = new Readable({ read() {} })
  const late = pulling(env, async () => broken).pullBody('n' as NodeId, blobId, {
    first: 0,
    isLastHope: false,
  })
  await env.advance(0)
  broken.destroy(new Error('cut'))
  await t.rejects(late, { code: 'UNAVAILABLE' })
})

t.test('the end of the node is waited for while a body comes, and no longer', async t => {
  const env = manualEnv()
  const stopping = new AbortController()
  const waiting = () => getEventListeners(stopping.signal, 'abort').length
  const options = { first: 0, isLastHope: false }
  const coming = new Readable({ read() {} })
  const pulled = pulling(env, async () => coming, stopping).pullBody('n' as NodeId, blobId, options)
  coming.push('some')
  const bytes = await pulled
  t.equal(waiting(), 1)
  coming.push(null)
  t.equal(await text(bytes), 'some')
  t.equal(waiting(), 0)
  const refused = async () => {
    throw new StoreError('UNAVAILABLE', 'It is not there.')
  }
  const nowhere = bodyPeers({
    ...{ signal: stopping.signal, timers: env.timers, addressOf: () => undefined },
    peers: { call: () => t.fail() as never, stageBody: () => t.fail() as never, fetchBody: refused },
  })
  const { signal: ended } = new AbortController()
  await t.rejects(nowhere.sendAhead('n' as NodeId, blobId, Readable.from(['x']), [], ended), {
    code: 'UNAVAILABLE',
  })
  t.equal(waiting(), 0)
  const failing = pulling(env, refused, stopping).pullBody('n' as NodeId, blobId, options)
  await t.rejects(failing, { code: 'UNAVAILABLE' })
  t.equal(waiting(), 0)
})
