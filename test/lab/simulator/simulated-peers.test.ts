import { text } from 'node:stream/consumers'
import t from 'tap'
import type { PeerCall } from '../../../src/calls/calls.ts'
import { StoreError } from '../../../src/errors.ts'
import { SimulatedEndpoint } from '../../../src/lab/simulator/simulated-endpoint.ts'
import { type Frame, SimulatedPeers } from '../../../src/lab/simulator/simulated-peers.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import type { Address, NodeId } from '../../../src/ring/identifier.ts'

const HOME = 'n2:5000' as Address
const ASKER = { address: 'n1:5000' as Address, nodeId: 'n1.0' as NodeId, boot: { counter: 1, nonce: '0' } }
const SELF = { address: HOME, nodeId: 'n2.0' as NodeId, boot: { counter: 1, nonce: '0' } }
const LEARN: PeerCall = { kind: 'learn', records: [] }
const OPTIONS = { timeoutMs: 5_000 }

/** A node that asks, and the endpoint of another; each frame takes a ms unless it is lost. */
function bench(
  init: { isLost?: (frame: Frame) => boolean; waits?: boolean; answer?: () => Promise<object> } = {},
) {
  const { isLost = () => false, answer = async () => ({ said: 'yes' }) } = init
  const clock = new VirtualClock({ hasStreams: true })
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const env = clock.env({ randomness: { bytes: length => new Uint8Array(length) }, log })
  const told: string[] = []
  const asked: string[] = []
  const staged: string[] = []
  const carry = (frame: Frame, arrive: (frame: never) => void) => {
    if (!isLost(frame)) clock.after(1, () => arrive(frame as never))
  }
  const peers = new SimulatedPeers(
    {
      env,
      wire: {
        message: (_to, [to, { kind }]) => told.push(`${to} ${kind}`),
        frame: (_to, frame) =>
          carry(frame, (arrived: Frame) => {
            if (arrived.kind === 'call' || arrived.kind === 'fetch' || arrived.kind === 'stage')
              endpoint.asked(arrived)
            else endpoint.arrived(arrived as never)
          }),
      },
    },
    {
      identity: () => ASKER,
      name: 'n1',
      unreachable: (_, how) => told.push(how),
      replaced: ({ nodeId }) => told.push(`${nodeId} lives there`),
      took: (_, ms) => told.push(`took ${ms}`),
      messages: (_, messages) => told.push(...messages.map(([, { kind }]) => `heard ${kind}`)),
    },
  )
  const endpoint = new SimulatedEndpoint({
    timers: clock,
    send: (_to, frame) => carry(frame, frame => peers.arrived(frame)),
    self: () => SELF,
    broken: error => told.push(error.message),
    reception: () =>
      init.waits === true
        ? undefined
        : ({
            call: (_from: unknown, { kind }: PeerCall) => {
              asked.push(kind)
              return answer()
            },
            openBody: async () => Buffer.from('the bytes'),
            stageBody: async (_f: unknown, _n: unknown, _a: unknown, body: AsyncIterable<Uint8Array>) => {
              staged.push(await text(body))
              return { has: true }
            },
          } as never),
  })
  const run = async <T>(work: Promise<T>) => {
    work.catch(() => undefined)
    await clock.runSettled(clock.monotonicMs() + 80_000)
    return work
  }
  return { peers, endpoint, run, told, asked, staged, clock }
}

t.test('a call is answered once, also when its question or its answer is lost', async t => {
  for (const lost of ['nothing', 'call', 'answer']) {
    let losses = 0
    const { peers, run, asked, endpoint } = bench({ isLost: ({ kind }) => kind === lost && losses++ < 2 })
    t.same(await run(peers.call(HOME, LEARN, OPTIONS)), { said: 'yes' })
    t.same(asked, ['learn'], lost)
    t.ok(endpoint.knows('n1/1'))
  }
})

t.test('silence, refusals and another node are told apart', async t => {
  const silent = bench({ isLost: () => true })
  await t.rejects(silent.run(silent.peers.call(HOME, LEARN, OPTIONS)), { code: 'UNAVAILABLE' })
  t.same(silent.told, ['silent'])
  const refusing = bench({ answer: () => Promise.reject(new StoreError('WRONG_NETWORK', 'no')) })
  await t.rejects(refusing.run(refusing.peers.call(HOME, LEARN, OPTIONS)), { code: 'WRONG_NETWORK' })
  const moved = bench()
  const meant = { ...OPTIONS, node: 'n2.9' as NodeId }
  await t.rejects(moved.run(moved.peers.call(HOME, LEARN, meant)), { code: 'UNAVAILABLE' })
  t.same(moved.told, ['n2.0 lives there'])
  const waiting = bench({ waits: true })
  await t.rejects(waiting.run(waiting.peers.call(HOME, LEARN, OPTIONS)), { code: 'NO_NETWORK' })
  const broken = bench({ answer: () => Promise.reject(new TypeError('wrong')) })
  await t.rejects(broken.run(broken.peers.call(HOME, LEARN, OPTIONS)), { code: 'UNAVAILABLE' })
  t.ok(broken.told.includes('wrong'))
})

t.test('who refuses is told of at once, and a stop ends everything', async t => {
  const { peers, run, told } = bench({ isLost: () => true })
  const call = peers.call(HOME, LEARN, OPTIONS)
  call.catch(() => undefined)
  peers.refused(HOME)
  await t.rejects(call, { code: 'UNAVAILABLE' })
  t.same(told, ['refused'])
  const ending = new AbortController()
  const other = peers.call(HOME, LEARN, { ...OPTIONS, signal: ending.signal })
  other.catch(() => undefined)
  ending.abort(new Error('enough'))
  await t.rejects(other, /enough/)
  const last = peers.call(HOME, LEARN, OPTIONS)
  last.catch(() => undefined)
  await peers.close()
  await t.rejects(last, { code: 'UNAVAILABLE' })
  await t.rejects(run(peers.call(HOME, LEARN, OPTIONS)), { code: 'UNAVAILABLE' })
})

t.test('bodies go both ways', async t => {
  const { peers, run, staged } = bench()
  const fetched = peers.fetchBody(HOME, 'b', 0, OPTIONS).then(stream => text(stream))
  t.equal(await run(fetched), 'the bytes')
  async function* body() {
    yield Buffer.from('one ')
    yield Buffer.from('two')
  }
  const options = { timeoutMs: 5_000, stallMs: 5_000 }
  t.same(await run(peers.stageBody(HOME, 'b', { sha256: 'a' }, body(), options)), { has: true })
  t.same(staged, ['one two'])
  const cut = bench({ isLost: frame => frame.kind === 'piece' && frame.number > 0 })
  await t.rejects(cut.run(cut.peers.stageBody(HOME, 'b', { sha256: 'a' }, body(), options)), {
    code: 'UNAVAILABLE',
  })
})

t.test('messages wait for their acknowledgement, as far as the outbox is known', async t => {
  const { peers, told, clock } = bench()
  t.equal(peers.waitsMs(HOME), 0)
  peers.send(HOME, ['n2.0' as NodeId, { kind: 'ping' }])
  await clock.runSettled(100)
  t.equal(peers.waitsMs(HOME), 100)
  peers.took(HOME)
  t.equal(peers.waitsMs(HOME), 0)
  t.same(told, ['n2.0 ping', 'took 200'])
  peers.send(HOME, ['n2.0' as NodeId, { kind: 'ping' }])
  await clock.runSettled(200)
  peers.send(HOME, ['n2.0' as NodeId, { kind: 'ping' }])
  await clock.runSettled(6_100)
  t.equal(peers.waitsMs(HOME), 1_000, 'the second batch is under way')
  await clock.runSettled(20_000)
  t.equal(peers.waitsMs(HOME), 0)
  t.same(told.slice(2), ['n2.0 ping', 'n2.0 ping', 'silent', 'silent'], 'each batch that was lost is told')
  peers.forget()
  peers.send(HOME, ['n2.0' as NodeId, { kind: 'ping' }])
  peers.heard(ASKER, [['n1.0' as NodeId, { kind: 'pong' }]])
  t.equal(told.length, 6)
  await t.rejects(async () => {
    for await (const _ of peers.stream());
  }, TypeError)
})
