import t from 'tap'
import { Gossip } from '../../../src/membership/gossip/gossip.ts'
import { HEALTH_MAX } from '../../../src/membership/gossip/local-health.ts'
import { failMsNeeded, GOSSIP_DEFAULTS } from '../../../src/membership/gossip/settings.ts'
import { record } from '../../routing/any.ts'
import { Gossiping } from './gossiping.ts'

const FAIL_MS = GOSSIP_DEFAULTS.failMs
const FIVE = ['a', 'b', 'c', 'd', 'e']

t.test('nodes that are well believe each other to be alive, and the core hears nothing', async t => {
  const network = new Gossiping(FIVE)
  await network.pass(6 * FAIL_MS)
  for (const name of FIVE) t.same(network.about(name), ['alive', 'alive', 'alive', 'alive'])
  for (const { gossip, beliefs, env } of network.nodes) {
    t.same(beliefs, [])
    t.same(gossip?.changes, { alive: 0, suspect: 0, failed: 0 })
    t.equal(gossip?.health.score, 0)
    t.same(env.logged, [])
  }
})

t.test(
  'a node that crashed has failed for all others within twice T_fail, and not before T_fail',
  async t => {
    for (const state of ['is gone', 'stands still'] as const) {
      const network = new Gossiping(FIVE)
      await network.pass(5_000)
      network.node('c').state = state
      await network.pass(FAIL_MS - 2_000)
      t.same(network.about('c'), ['alive', 'alive', 'alive', 'alive'])
      await network.pass(FAIL_MS + 2_000)
      t.same(network.about('c'), ['failed', 'failed', 'failed', 'failed'], state)
      for (const { name, beliefs, env, gossip } of network.nodes) {
        if (name === 'c') continue
        t.same(beliefs, ['node-c failed'], 'the core is told once')
        t.same(env.logged, ['a node has failed'])
        t.equal(gossip?.isFailed(record('c').nodeId), true)
      }
    }
  },
)

t.test(
  'a node whose machine refuses connections has failed as soon as T_fail is over, and not before',
  async t => {
    const network = new Gossiping(FIVE)
    await network.pass(5_000)
    network.node('c').state = 'has crashed'
    await network.pass(4_000)
    t.same(network.about('c'), ['suspect', 'suspect', 'suspect', 'suspect'])
    await network.pass(FAIL_MS - 6_000)
    t.same(network.about('c'), ['suspect', 'suspect', 'suspect', 'suspect'])
    for (const { beliefs } of network.nodes) t.same(beliefs, [], 'the core hears nothing of that')
    await network.pass(4_500)
    t.same(network.about('c'), ['failed', 'failed', 'failed', 'failed'])
  },
)

t.test('a node that starts again within T_fail is dropped by nobody', async t => {
  const network = new Gossiping(FIVE)
  await network.pass(5_000)
  network.node('c').state = 'has crashed'
  await network.pass(FAIL_MS - 3_000)
  network.node('c').state = 'runs'
  await network.pass(4_000)
  t.same(network.about('c'), ['alive', 'alive', 'alive', 'alive'])
  for (const { beliefs } of network.nodes) t.same(beliefs, [])
})

t.test(
  'a pause of less than T_fail changes nothing; after a longer one the node doubts itself first',
  async t => {
    const network = new Gossiping(FIVE)
    await network.pass(5_000)
    network.node('c').state = 'stands still'
    await network.pass(FAIL_MS - 2_000)
    network.node('c').state = 'runs'
    await network.pass(FAIL_MS)
    for (const { beliefs, gossip } of network.nodes) {
      t.same(beliefs, [])
      t.equal(gossip?.changes.suspect, 0)
    }
    network.node('c').state = 'stands still'
    await network.pass(3 * FAIL_MS)
    t.same(network.about('c'), ['failed', 'failed', 'failed', 'failed'])
    network.node('c').state = 'runs'
    await network.pass(1_500)
    t.ok((network.node('c').gossip?.health.score ?? 0) > 0, 'it was late')
    await network.pass(FAIL_MS)
    t.same(network.about('c'), ['alive', 'alive', 'alive', 'alive'])
    t.same(network.node('c').beliefs, [], 'it has accused nobody')
    await network.pass(10_000)
    t.equal(network.node('c').gossip?.health.score, 0, 'and is well again')
  },
)

t.test('a link that carries nothing makes no suspect: others say that the node is there', async t => {
  const network = new Gossiping(FIVE)
  network.reaches = (from, to) => !(from === 'a' && to === 'b') && !(from === 'b' && to === 'a')
  await network.pass(6 * FAIL_MS)
  for (const { beliefs, gossip } of network.nodes) {
    t.same(beliefs, [])
    t.equal(gossip?.changes.failed, 0)
  }
})

t.test('halves that are cut apart drop each other, and agree again soon after the cut is over', async t => {
  for (const seed of [1, 2, 3, 4]) {
    const network = new Gossiping(FIVE, {}, [], seed)
    await network.pass(5_000)
    const isLeft = (name: string) => name === 'a' || name === 'b'
    network.reaches = (from, to) => isLeft(from) === isLeft(to)
    await network.pass(2 * FAIL_MS + 2_000)
    const ofRight = network.about('a').slice(1)
    t.same(ofRight, ['failed', 'failed', 'failed'], 'most of them drop the others as in any failure')
    // Those who hear hardly anybody doubt themselves first: their waits are longer.
    const dropped = (name: string) => network.about(name).slice(0, 2)
    await network.passUntil(
      () => ['c', 'd', 'e'].every(name => dropped(name).join() === 'failed,failed'),
      2 * (1 + HEALTH_MAX) * FAIL_MS,
    )
    t.same(network.about('a'), ['alive', 'failed', 'failed', 'failed'])
    t.same(network.about('e'), ['failed', 'failed', 'alive', 'alive'])
    network.reaches = () => true
    await network.pass(2 * FAIL_MS)
    for (const name of FIVE) t.same(network.about(name), ['alive', 'alive', 'alive', 'alive'])
  }
})

t.test('nodes that do not gossip, or do not know what it is, are not suspected and hardly asked', async t => {
  const network = new Gossiping(FIVE, {}, ['d', 'e'])
  network.node('e').state = 'refuses gossip'
  await network.pass(6 * FAIL_MS)
  t.same(network.about('d'), ['nothing', 'nothing', 'nothing'])
  t.same(network.about('e'), ['nothing', 'nothing', 'nothing'])
  t.same(network.about('a'), ['alive', 'alive'])
  for (const { beliefs, gossip } of network.nodes) {
    t.same(beliefs, [])
    if (gossip !== undefined) t.equal(gossip.health.score, 0, 'that is no sign of being ill')
  }
  const calls = network.calls
  await network.pass(10_000)
  t.ok(network.calls - calls <= 3 * 2 * 12, 'as many as three nodes send that gossip')
})

t.test('a node that refuses for being busy is one that gossips, and its silence counts', async t => {
  const network = new Gossiping(FIVE)
  await network.pass(5_000)
  const busy = network.node('c')
  busy.state = 'is overloaded'
  network.reaches = from => from !== 'c'
  await network.pass(FAIL_MS + 2_000)
  t.ok(
    network.about('c').every(belief => belief !== 'nothing'),
    network.about('c').join(),
  )
  busy.state = 'runs'
  network.reaches = () => true
  await network.pass(FAIL_MS)
  t.same(network.about('c'), ['alive', 'alive', 'alive', 'alive'])
})

t.test('without gossip there is no message and no timer', async t => {
  const network = new Gossiping(FIVE, {}, FIVE)
  await network.pass(60_000)
  t.equal(network.calls, 0)
  for (const { env, gossip } of network.nodes) {
    t.equal(env.waiting, 0)
    t.notOk(gossip instanceof Gossip)
  }
})

t.test('a pair is everywhere after a few rounds, and nowhere when its time is over', async t => {
  const network = new Gossiping(FIVE)
  await network.pass(2_000)
  const { gossip } = network.node('b')
  gossip?.set('color', 'blue', 20_000)
  gossip?.set('size', 'large', undefined)
  await network.pass(8_000)
  for (const node of network.nodes) {
    t.equal(node.gossip?.get('color')?.value, 'blue', node.name)
    t.same(
      node.gossip?.pairs().map(({ key }) => key),
      ['color', 'size'],
    )
  }
  await network.pass(12_000)
  for (const node of network.nodes) t.equal(node.gossip?.get('color'), undefined, node.name)
  await network.pass(GOSSIP_DEFAULTS.ttlMs)
  for (const node of network.nodes) t.same(node.gossip?.pairs(), [])
})

t.test('a node that one of them was told of is known to all', async t => {
  const network = new Gossiping(FIVE)
  await network.pass(2_000)
  network.node('d').members.learn([record('f')])
  await network.pass(8_000)
  for (const { name, members } of network.nodes)
    t.equal(members.addressOf(record('f').nodeId), record('f').address, name)
})

t.test('who speaks is there for the core, and so is whoever others hear of', async t => {
  const network = new Gossiping(['a', 'b', 'c'])
  await network.pass(3_000)
  const { suspects, heard } = network.node('a')
  suspects.add(record('b').nodeId)
  await network.pass(6_000)
  t.notOk(suspects.has(record('b').nodeId))
  t.ok(heard.includes(record('b').nodeId))
  network.reaches = (from, to) => !(from === 'b' && to === 'a') && !(from === 'a' && to === 'b')
  suspects.add(record('b').nodeId)
  await network.pass(FAIL_MS)
  const told = network.node('a').beliefs.filter(belief => belief === 'node-b alive')
  t.ok(told.length >= 1 && told.length <= 4, `the core shall ask it, now and then: ${told.length} times`)
})

t.test('T_fail that is too short for the network is said once and made longer', async t => {
  const network = new Gossiping(FIVE, { failMs: 1_000 })
  await network.pass(5_000)
  for (const { env, gossip } of network.nodes) {
    t.equal(gossip?.failMs, failMsNeeded(GOSSIP_DEFAULTS, 5))
    t.same(env.logged, ['t-fail is too short for a network of this size; the longer one is used'])
  }
  t.same(network.about('a'), ['alive', 'alive', 'alive', 'alive'])
})

t.test('it is known when gossip waits for a node, and for how many messages', async t => {
  const network = new Gossiping(['a', 'b'])
  await network.pass(3_000)
  const { gossip } = network.node('a')
  t.equal(gossip?.isAsking(record('b').address), false)
  network.node('b').state = 'stands still'
  await network.pass(2_000)
  t.equal(gossip?.isAsking(record('b').address), true)
  t.ok((gossip?.messages ?? 0) >= 4)
})
