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

/** Nodes named "silent" never answer; those that are doubted for a while count as dead. */
function askingOf(init: { dead?: string[]; views?: object[] } = {}) {
  const env = manualEnv()
  const dead = new Set<string>(init.dead)
  const doubted: string[] = []
  const asked: (CallOptions & { to: string })[] = []
  const call = (to: Address, _call: unknown, options: CallOptions) => {
    asked.push({ ...options, to })
    if (!to.startsWith('silent')) return Promise.resolve({ ranges: [] } as PeerAnswer)
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
    table: { all: () => init.views ?? [view] },
  } as unknown as Machine
  const tellMyself = (message: { node: NodeId }) => void doubted.push(message.node)
  const asking = new Asking({
    env,
    call,
    members: { others: () => [node('b'), node('c')] as MapRecord[] },
    driver: { known: networkViewOf(() => machine), tellMyself } as unknown as ChainDriver,
    send: to => void told.push(to),
    signal: new AbortController().signal,
  })
  return { env, asking, dead, doubted, asked, told }
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
  await env.advance(4_900)
  t.equal(doubted.length, 4, 'each second')
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
  await env.advance(5_100)
  await refused
  t.same([...new Set(told)], ['b', 'c'])
})
