import t from 'tap'
import type { PeerAnswer } from '../../src/calls/calls.ts'
import { StoreError } from '../../src/errors.ts'
import { Asking } from '../../src/operations/asking.ts'
import type { CallOptions } from '../../src/peer/peers.ts'
import type { ChainDriver } from '../../src/replication/chain/driver.ts'
import type { Machine } from '../../src/replication/chain/machine-parts.ts'
import { networkViewOf } from '../../src/replication/chain/network-view.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import { manualEnv } from '../manual-env.ts'

const node = (name: string) => ({ nodeId: name as NodeId, address: `${name}:1` as Address })
const ASKED = { kind: 'ranges' } as const
const CHECK = { kind: 'check', lo: '', hi: '', heal: true } as never

/** Words of a whole check. */
const WORDS_ALL = 3

/** Nodes named "silent" never answer; those that are doubted for a while count as dead. */
function askingOf(init: { dead?: string[]; doubts?: string[]; views?: object[] } = {}) {
  const env = manualEnv()
  const dead = new Set<string>(init.dead)
  const doubted: string[] = []
  const asked: (CallOptions & { to: string })[] = []
  /** Kinds of questions that the silent node answers all the same. */
  const answers = new Set<string>()
  /** Words that it says of a check before it says no more. */
  let words = 0
  const call = (to: Address, call: { kind: string }, options: CallOptions) => {
    asked.push({ ...options, to })
    if (!to.startsWith('silent') || answers.has(call.kind))
      return Promise.resolve({ ranges: [] } as PeerAnswer)
    return new Promise<PeerAnswer>((_resolve, reject) => {
      const timeout = env.timers.after(options.timeoutMs, () =>
        reject(new StoreError('UNAVAILABLE', 'It did not answer in time.')),
      )
      options.signal?.addEventListener('abort', () => {
        timeout.cancel()
        reject(options.signal?.reason)
      })
    })
  }
  const told: string[] = []
  const view = { replicas: ['a', 'b', 'silent'], acceptors: ['a', 'b', 'silent'] }
  const machine = {
    self: 'a',
    suspects: dead,
    silences: new Map((init.doubts ?? []).map(name => [name, 1])),
    table: { all: () => init.views ?? [view] },
  } as unknown as Machine
  const tellMyself = (message: { node: NodeId }) => void doubted.push(message.node)
  const stream = async function* (to: Address, asked: { kind: string }, options: CallOptions) {
    for (let word = 0; word < words; word++) yield { word }
    if (words < WORDS_ALL) await call(to, asked, options)
  }
  const asking = new Asking({
    env,
    call,
    stream,
    members: { others: () => [node('b'), node('c')] as MapRecord[] },
    driver: { known: networkViewOf(() => machine), tellMyself } as unknown as ChainDriver,
    send: to => void told.push(to),
    signal: new AbortController().signal,
  })
  const says = (many: number) => {
    words = many
  }
  return { env, asking, dead, doubted, asked, told, answers, says }
}

t.test('a node that does not answer is doubted, and waited for no longer once it counts as dead', async t => {
  const { env, asking, dead, doubted, asked, told } = askingOf()
  const answer = asking.ask(node('silent'), ASKED)
  const refused = t.rejects(answer, { code: 'UNAVAILABLE' })
  await env.advance(900)
  t.same(doubted, [])
  await env.advance(200)
  t.same([doubted, told], [['silent'], ['b']], 'and those who share a range with it are told')
  dead.add('silent')
  await env.advance(100)
  await refused
  t.equal(env.waiting, 0)
  t.equal(asked[0]?.node, 'silent', 'and nobody else may answer')
})

t.test('one that only takes its time is waited for', async t => {
  const { env, asking, doubted } = askingOf()
  const refused = t.rejects(asking.ask(node('silent'), ASKED), { code: 'UNAVAILABLE' })
  await env.advance(3_900)
  t.equal(doubted.length, 3, 'each second')
  await env.advance(200)
  await refused
  await env.advance(100)
  t.equal(env.waiting, 0)
})

t.test('of many, those that count as dead are asked whether they are back, and not waited for', async t => {
  const { env, asking, doubted, asked } = askingOf({ dead: ['silent'] })
  const nodes = [node('silent'), ...Array.from({ length: 40 }, (_, index) => node(`n${index}`))]
  const { answers, silent } = await asking.askEach(nodes, ASKED, { dead: false })
  t.same([answers.length, silent.map(({ nodeId }) => nodeId)], [40, ['silent']])
  t.same(doubted, ['silent'])
  t.notOk(asked.some(({ to }) => to === 'silent:1'))
  await asking.askEach(nodes, ASKED, { dead: false })
  t.same(doubted, ['silent'], 'a doubt is not repeated at once')
  const all = asking.askEach(nodes, ASKED, { dead: true })
  await env.advance(1_100)
  t.equal((await all).silent.length, 1, 'whoever has to reach it waits for a second')
})

t.test('whoever knows of no range of a silent node tells everybody', async t => {
  const { env, asking, told } = askingOf({ views: [] })
  const refused = t.rejects(asking.ask(node('silent'), ASKED))
  await env.advance(4_100)
  await refused
  t.same([...new Set(told)], ['b', 'c'])
})

/** How long the next question of that kind to the silent node waits until it is refused, ms. */
async function waitsFor({ env, asking }: ReturnType<typeof askingOf>, kind: 'ranges' | 'holdings') {
  let isOver = false
  const asked = asking.ask(node('silent'), { kind }).finally(() => {
    isOver = true
  })
  asked.catch(() => undefined)
  let waited = 0
  for (; !isOver && waited < 10_000; waited += 50) await env.advance(50)
  return waited
}

t.test('a node that is there and does not answer is waited for once', async t => {
  const asking = askingOf()
  t.equal(await waitsFor(asking, 'ranges'), 4_000)
  t.ok(asking.asking.hangs('silent' as NodeId, 'ranges'))
  t.equal(await waitsFor(asking, 'ranges'), 50, 'it has just been asked')
  await asking.env.advance(1_000)
  t.equal(await waitsFor(asking, 'ranges'), 250)
  t.equal(await waitsFor(asking, 'holdings'), 250, 'and the same is expected of another question')
  asking.answers.add('holdings')
  await asking.env.advance(5_000)
  await asking.asking.ask(node('silent'), { kind: 'holdings' })
  t.notOk(asking.asking.hangs('silent' as NodeId, 'holdings'), 'that it answers')
  t.ok(asking.asking.hangs('silent' as NodeId, 'ranges'))
  asking.answers.add('ranges')
  await asking.asking.ask(node('silent'), ASKED)
  t.notOk(asking.asking.hangs('silent' as NodeId, 'list'), 'it has answered everything')
})

t.test('a node that is about to count as dead does not count as one that hangs', async t => {
  const asking = askingOf({ doubts: ['silent'] })
  t.equal(await waitsFor(asking, 'ranges'), 4_000)
  t.notOk(asking.asking.hangs('silent' as NodeId, 'ranges'))
})

t.test('a check that says nothing more ends soon, and the next one sooner', async t => {
  const { env, asking, asked, doubted, says, dead } = askingOf()
  const read = async () => {
    const words: unknown[] = []
    for await (const word of asking.stream(node('silent'), CHECK)) words.push(word)
    return words.length
  }
  says(WORDS_ALL)
  t.equal(await read(), WORDS_ALL)
  says(1)
  const refused = t.rejects(read(), { code: 'UNAVAILABLE' })
  await env.advance(15_100)
  await refused
  t.ok(doubted.length > 10, 'it was asked each second whether it is there')
  await t.rejects(read(), { message: /is there, and leaves questions/ })
  t.equal(asked.length, 1)
  await env.advance(15_000)
  const again = t.rejects(read(), { code: 'UNAVAILABLE' })
  await env.advance(2_100)
  await again
  dead.add('silent')
  await env.advance(100)
  t.equal(env.waiting, 0)
})
