import t from 'tap'
import type { ChainDriver } from '../../../src/replication/chain/driver.ts'
import { LostRanges } from '../../../src/replication/chain/lost-ranges.ts'
import type { Machine } from '../../../src/replication/chain/machine-parts.ts'
import type { Outcome } from '../../../src/replication/chain/machine-state.ts'
import type { Message } from '../../../src/replication/chain/messages.ts'
import { networkViewOf } from '../../../src/replication/chain/network-view.ts'
import type { Ending } from '../../../src/replication/entry/requests.ts'
import { type Address, type Identifier, identifierOfPath } from '../../../src/ring/identifier.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import type { NodeId, View } from '../../../src/views/view.ts'
import { manualEnv } from '../../manual-env.ts'

const nodes = (...names: string[]) => names as NodeId[]
const viewOf = (replicas: NodeId[], acceptors = replicas) =>
  ({ id: 'v', replicas, acceptors }) as unknown as View
const POSITION = '8'.repeat(40) as Identifier
const GET = { kind: 'get', path: parsePathName('f') } as const

/** What node `a` knows of one range, and a machine that answers when it is told to. */
function lostRanges(view: View | undefined) {
  const env = manualEnv()
  const suspects = new Set<NodeId>()
  const asked: NodeId[] = []
  const around: Identifier[] = []
  const all = () => (view === undefined ? [] : [view])
  const machine = {
    self: 'a',
    suspects,
    members: new Map(),
    table: { covering: () => view, all },
  } as unknown as Machine
  let answer: (outcome: Outcome) => void = () => undefined
  const driver = {
    known: networkViewOf(() => machine),
    tellMyself: (message: Message) => {
      if (message.kind === 'suspect') asked.push(message.node)
      if (message.kind === 'where') around.push(message.position)
    },
    request: (_request: unknown, ending: Ending) =>
      new Promise<Outcome>(resolve => {
        answer = resolve
        ending(() => resolve({ kind: 'indeterminate' }))
      }),
  } as unknown as ChainDriver
  const lost = new LostRanges({ env, driver, addressOf: node => `${node}:1` as Address })
  t.teardown(() => lost.close())
  return { env, lost, suspects, asked, around, answer: () => answer({ kind: 'unavailable' }) }
}

t.test('a range is lost without a majority of its acceptors, or without a replica', async t => {
  const { lost, suspects } = lostRanges(viewOf(nodes('b', 'c'), nodes('a', 'b', 'c', 'd', 'e')))
  t.same(lost.missingAt([POSITION]), [])
  suspects.add('d' as NodeId).add('e' as NodeId)
  t.same(lost.missingAt([POSITION]), [], 'three of five are there')
  suspects.add('b' as NodeId)
  t.same(lost.missingAt([POSITION]), ['b', 'd', 'e'])
  suspects.clear()
  suspects.add('b' as NodeId).add('c' as NodeId)
  t.same(lost.missingAt([POSITION]), ['b', 'c'], 'the acceptors are there, and nobody has the files')
  t.same(lostRanges(undefined).lost.missingAt([POSITION]), [])
})

t.test('a request for a lost range is refused within two seconds, and names who is missing', async t => {
  const { env, lost, suspects, asked, around } = lostRanges(viewOf(nodes('a', 'b')))
  suspects.add('b' as NodeId)
  const refused = t.rejects(lost.request(GET), { code: 'UNAVAILABLE', path: 'f', missing: ['b:1'] })
  await env.advance(1_900)
  await refused
  t.same(asked, ['b'], 'it was asked whether it is back')
  t.same(new Set(around), new Set([identifierOfPath(GET.path)]), 'and others, who has the range now')
})

t.test('whoever asks for what others have waited for in vain is refused after one look', async t => {
  const { env, lost, suspects, asked } = lostRanges(viewOf(nodes('a', 'b')))
  const isRefusedAfter = async (ms: number) => {
    let error: unknown
    const ended = lost.request(GET).catch(caught => {
      error = caught
    })
    await env.advance(ms - 100)
    t.equal(error, undefined)
    await env.advance(200)
    t.match(error, { code: 'UNAVAILABLE' })
    await ended
  }
  suspects.add('b' as NodeId)
  await isRefusedAfter(1_000)
  await isRefusedAfter(100)
  await env.advance(4_000)
  await isRefusedAfter(100)
  t.same(asked, ['b', 'b', 'b'], 'each asks whether it is back')
  await env.advance(6_000)
  await isRefusedAfter(1_000)
  suspects.clear()
  t.same(await lost.whenLost([POSITION]), [])
  suspects.add('b' as NodeId)
  await isRefusedAfter(1_000)
})

t.test('one that comes back meanwhile is waited for', async t => {
  const { env, lost, suspects, answer } = lostRanges(viewOf(nodes('a', 'b')))
  suspects.add('b' as NodeId)
  const outcome = lost.request(GET)
  await env.advance(500)
  suspects.clear()
  await env.advance(200)
  answer()
  t.same(await outcome, { kind: 'unavailable' })
  t.same(lost.refusal(GET.path).missing, undefined)
})

t.test('a request under way is given up once its range is lost for a while, and no sooner', async t => {
  const { env, lost, suspects } = lostRanges(viewOf(nodes('a', 'b')))
  let outcome: Outcome | undefined
  void lost.request(GET).then(got => {
    outcome = got
  })
  await env.advance(5_000)
  suspects.add('b' as NodeId)
  await env.advance(800)
  suspects.clear()
  await env.advance(800)
  suspects.add('b' as NodeId)
  await env.advance(900)
  t.equal(outcome, undefined)
  await env.advance(300)
  t.same(outcome, { kind: 'indeterminate' })
  await env.advance(200)
  t.equal(env.waiting, 0, 'nothing is looked at while nobody waits')
})

t.test('of all ranges that are known, those that are lost are waited for together', async t => {
  const { env, lost, suspects, asked } = lostRanges({
    ...viewOf(nodes('b', 'c')),
    hi: POSITION,
  })
  t.same(await lost.whenAnyLost(), [], 'at once')
  suspects.add('b' as NodeId).add('c' as NodeId)
  const missing = lost.whenAnyLost()
  await env.advance(1_100)
  t.same(await missing, ['b', 'c'])
  t.same(asked, ['b', 'c'], 'they were asked whether they are back')
  await env.advance(6_000)
  const back = lost.whenAnyLost()
  await env.advance(300)
  suspects.clear()
  await env.advance(300)
  t.same(await back, [])
})
