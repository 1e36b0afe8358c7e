import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import {
  HELD_MESSAGES_MAX,
  type LinkSettings,
  type NodeName,
  QUIET_LINK,
  SimulatedNetwork,
} from '../../../src/lab/simulator/simulated-network.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

const [n1, n2, n3, n4] = ['n1', 'n2', 'n3', 'n4'] as NodeName[] as [NodeName, NodeName, NodeName, NodeName]

function world(settings: Partial<LinkSettings> = {}, seed = 1) {
  const clock = new VirtualClock()
  const arrived: string[] = []
  const dropped: string[] = []
  const network = new SimulatedNetwork<number>(
    { clock, random: new SeededRandom(seed) },
    {
      link: { ...QUIET_LINK, ...settings },
      deliver: (from, to, message) => arrived.push(`${from}>${to} ${message}`),
      dropped: (from, to, message, reason) => dropped.push(`${from}>${to} ${message} ${reason}`),
    },
  )
  const sendMany = (from: NodeName, to: NodeName, count: number) => {
    for (let message = 0; message < count; message++) network.send(from, to, message)
  }
  const finish = () => {
    while (clock.step());
  }
  return { clock, network, arrived, dropped, sendMany, finish }
}

t.test('a quiet network delivers everything once, within its delays', async t => {
  const { clock, network, arrived, sendMany } = world({ delayMinMs: 2, delayMaxMs: 4 })
  sendMany(n1, n2, 100)
  clock.runUntil(1.99)
  t.equal(arrived.length, 0)
  clock.runUntil(4)
  t.equal(new Set(arrived).size, 100)
  t.equal(arrived.length, 100)
  t.same(network.counts, { sent: 100, delivered: 100, lost: 0, repeated: 0 })
})

t.test('messages overtake each other only where the link lets them', async t => {
  const numbers = (arrived: string[]) => arrived.map(entry => Number(entry.split(' ')[1]))
  const wild = world({ reorder: 1 })
  wild.sendMany(n1, n2, 50)
  wild.finish()
  t.notSame(numbers(wild.arrived), [...Array(50).keys()])
  const ordered = world({ reorder: 0, late: 0.2, lateMaxMs: 1000 })
  ordered.sendMany(n1, n2, 50)
  ordered.finish()
  t.same(numbers(ordered.arrived), [...Array(50).keys()])
})

t.test('loss, repetition and lateness come as often as they are set', async t => {
  const { clock, network, arrived, dropped, sendMany, finish } = world({
    loss: 0.2,
    repeat: 0.1,
    late: 0.05,
    lateMaxMs: 500,
  })
  sendMany(n1, n2, 10_000)
  clock.runUntil(5)
  const late = clock.waiting
  finish()
  t.ok(Math.abs(dropped.length - 2000) < 200, `lost ${dropped.length}`)
  t.ok(Math.abs(network.counts.repeated - 800) < 140, `repeated ${network.counts.repeated}`)
  t.ok(Math.abs(late - 440) < 110, `late ${late}`)
  t.equal(arrived.length, 10_000 - dropped.length + network.counts.repeated)
  t.ok(clock.monotonicMs() > 400 && clock.monotonicMs() <= 500)
})

t.test('a cut is one-way, takes what is under way, and ends', async t => {
  const { network, arrived, dropped, finish } = world()
  network.send(n1, n2, 1)
  network.cut(n1, n2)
  network.send(n1, n2, 2)
  network.send(n2, n1, 3)
  finish()
  t.same(arrived, ['n2>n1 3'])
  t.same(dropped.sort(), ['n1>n2 1 cut', 'n1>n2 2 cut'])
  t.equal(network.isCut(n1, n2), true)
  t.equal(network.isCut(n2, n1), false)
  network.heal(n1, n2)
  network.send(n1, n2, 4)
  finish()
  t.same(arrived, ['n2>n1 3', 'n1>n2 4'])
})

t.test('a partition cuts between its groups only', async t => {
  const { network, arrived, finish } = world()
  network.partition([[n1, n2], [n3]])
  const all = [n1, n2, n3, n4]
  for (const from of all) for (const to of all) network.send(from, to, 0)
  finish()
  const missing = all
    .flatMap(from => all.map(to => `${from}>${to}`))
    .filter(pair => !arrived.includes(`${pair} 0`))
  t.same(missing.sort(), ['n1>n3', 'n2>n3', 'n3>n1', 'n3>n2'])
  network.healAll()
  for (const from of all) network.send(from, n3, 1)
  finish()
  t.equal(arrived.filter(entry => entry.endsWith('>n3 1')).length, 4)
})

t.test('what is held by a cut arrives after it', async t => {
  const { clock, network, arrived, finish } = world({ held: 1 })
  network.cut(n1, n2)
  network.send(n1, n2, 1)
  clock.runUntil(50)
  network.heal(n1, n2)
  t.same(arrived, [])
  finish()
  t.same(arrived, ['n1>n2 1'])
  t.ok(clock.monotonicMs() > 50)
})

t.test('a message can meet the next life of its receiver', async t => {
  const held = world({ held: 1 })
  held.network.down(n2)
  held.network.send(n1, n2, 1)
  held.clock.runUntil(100)
  t.same(held.arrived, [])
  held.network.up(n2)
  held.finish()
  t.same(held.arrived, ['n1>n2 1'])

  const late = world({ late: 1, lateMaxMs: 1000 })
  late.network.send(n1, n2, 1)
  late.network.down(n2)
  late.clock.runUntil(1)
  late.network.up(n2)
  late.finish()
  t.same(late.arrived, ['n1>n2 1'])

  const lost = world()
  lost.network.send(n1, n2, 1)
  lost.network.down(n2)
  lost.finish()
  lost.network.up(n2)
  lost.finish()
  t.same(lost.dropped, ['n1>n2 1 down'])
})

t.test('the buffers of a paused node fill, up to their limit, and die with it', async t => {
  const { network, arrived, dropped, sendMany, finish } = world({ reorder: 0 })
  network.pause(n2)
  sendMany(n1, n2, HELD_MESSAGES_MAX + 3)
  network.send(n2, n1, 7)
  finish()
  t.same(arrived, ['n2>n1 7'])
  t.same(dropped, ['n1>n2 0 overflow', 'n1>n2 1 overflow', 'n1>n2 2 overflow'])
  network.up(n2)
  finish()
  t.equal(arrived.length, 1 + HELD_MESSAGES_MAX)
  t.equal(arrived[1], 'n1>n2 3', 'the oldest was lost')

  network.pause(n2)
  sendMany(n1, n2, 5)
  finish()
  network.down(n2)
  network.up(n2)
  finish()
  t.equal(arrived.length, 1 + HELD_MESSAGES_MAX)
  t.equal(dropped.filter(entry => entry.endsWith('down')).length, 5)
})

t.test('a node reaches itself at once and whatever the network does, unless it is down', async t => {
  const { clock, network, arrived, finish } = world({ loss: 1 })
  network.send(n1, n1, 1)
  finish()
  t.same(arrived, ['n1>n1 1'])
  t.equal(clock.monotonicMs(), 0)
  network.send(n1, n1, 2)
  network.down(n1)
  finish()
  t.equal(arrived.length, 1)
})

t.test('messages are kept back one by one, until they are let go; all others pass them by', async t => {
  const { network, arrived, sendMany, finish } = world()
  const isEven = (message: number) => message % 2 === 0
  const letGo = network.holdBack(n1, n2, isEven, 2)
  sendMany(n1, n2, 6)
  network.send(n2, n1, 0)
  finish()
  t.same(arrived.toSorted(), ['n1>n2 1', 'n1>n2 3', 'n1>n2 4', 'n1>n2 5', 'n2>n1 0'])
  letGo()
  letGo()
  network.send(n1, n2, 8)
  finish()
  t.same(arrived.slice(5).toSorted(), ['n1>n2 0', 'n1>n2 2', 'n1>n2 8'])
  t.same(network.counts, { sent: 8, delivered: 8, lost: 0, repeated: 0 })
})

t.test('a link has settings of its own', async t => {
  const { network, arrived, finish } = world()
  network.setLink(n1, n2, { loss: 1 })
  network.setAllLinks({ delayMinMs: 1, delayMaxMs: 1 })
  network.send(n1, n2, 1)
  network.send(n2, n1, 1)
  network.send(n1, n3, 1)
  finish()
  t.same(arrived, ['n2>n1 1', 'n1>n3 1'])
  network.setAllLinks({ loss: 1 })
  network.setLink(n1, n2, { loss: 0 })
  for (const to of [n2, n3]) network.send(n1, to, 2)
  finish()
  t.same(arrived.slice(2), ['n1>n2 2'])
})

t.test('no message is lost from the books, and equal seeds give equal runs', async () => {
  const probability = fc.double({ min: 0, max: 1, noNaN: true })
  const act = fc.record({
    kind: fc.constantFrom('send', 'send', 'send', 'cut', 'heal', 'down', 'up', 'pause', 'wait'),
    from: fc.constantFrom(n1, n2, n3),
    to: fc.constantFrom(n1, n2, n3),
  })
  fc.assert(
    fc.property(
      fc.nat(),
      fc.record({
        loss: probability,
        repeat: probability,
        reorder: probability,
        late: probability,
        held: probability,
      }),
      fc.array(act, { maxLength: 60 }),
      (seed, settings, acts) => {
        const run = () => {
          const here = world({ ...settings, lateMaxMs: 40 }, seed)
          acts.forEach(({ kind, from, to }, message) => {
            if (kind === 'send') here.network.send(from, to, message)
            else if (kind === 'wait') here.clock.runUntil(here.clock.monotonicMs() + 3)
            else if (kind === 'cut' || kind === 'heal') here.network[kind](from, to)
            else here.network[kind as 'up' | 'down' | 'pause'](to)
          })
          here.network.healAll()
          for (const node of [n1, n2, n3]) here.network.up(node)
          here.finish()
          return here
        }
        const first = run()
        const { sent, delivered, lost, repeated } = first.network.counts
        assert.equal(sent + repeated, delivered + lost)
        assert.equal(first.arrived.length, delivered)
        const again = run()
        assert.deepEqual(again.arrived, first.arrived)
        assert.equal(again.clock.monotonicMs(), first.clock.monotonicMs())
      },
    ),
    { numRuns: 200 },
  )
})

t.test('a message may come once more when much has happened since', async t => {
  const { clock, arrived, network, sendMany, finish } = world({ again: 0.5, againMaxMs: 10_000 })
  sendMany(n1, n2, 100)
  clock.runUntil(10)
  const soon = arrived.length
  finish()
  t.ok(soon >= 100)
  t.ok(arrived.length > soon + 20, `${arrived.length - soon} again`)
  const { sent, delivered, repeated } = network.counts
  t.equal(delivered, sent + repeated)
})
