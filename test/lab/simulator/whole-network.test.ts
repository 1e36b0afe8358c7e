import t from 'tap'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { type NodeName, QUIET_LINK, SimulatedNetwork } from '../../../src/lab/simulator/simulated-network.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import { type Packet, WholeNetwork } from '../../../src/lab/simulator/whole-network.ts'
import type { Address, NodeId } from '../../../src/ring/identifier.ts'

const [N1, N2] = ['n1', 'n2'] as NodeName[] as [NodeName, NodeName]
const FROM = { address: 'n1:5000' as Address, nodeId: 'n1.0' as NodeId, boot: { counter: 1, nonce: '0' } }

function bench() {
  const clock = new VirtualClock()
  const random = new SeededRandom(1)
  const told: string[] = []
  const node = (name: NodeName) => ({
    timers: clock,
    whole: {
      listens: listening.has(name),
      message: (_: unknown, { message }: { message: { kind: string } }) => {
        told.push(`${name} hears ${message.kind}`)
        return message.kind === 'ping' ? [['n1.0', { kind: 'pong' }]] : []
      },
      answered: (_: unknown, { message }: { message: { kind: string } }) =>
        told.push(`${name} is answered ${message.kind}`),
      reply: (to: Address, [, { kind }]: [string, { kind: string }]) =>
        told.push(`${name} replies ${kind} to ${to}`),
      frame: ({ kind }: { kind: string }) => told.push(`${name} gets ${kind}`),
      took: (at: Address) => told.push(`${at} took it`),
      refused: (at: Address) => told.push(`${at} refuses`),
    },
  })
  const listening = new Set([N1, N2])
  const whole: WholeNetwork = new WholeNetwork({
    random,
    network: () => network,
    node: node as never,
  })
  const network = new SimulatedNetwork<Packet>(
    { clock, random },
    {
      link: QUIET_LINK,
      deliver: (from, to, packet) => whole.deliver(from, to, packet),
      dropped: (from, _, packet) => whole.dropped(from, packet),
    },
  )
  whole.settle(N1, FROM.address)
  whole.settle(N2, 'n2:5000' as Address)
  const said = async () => {
    await clock.runSettled(clock.monotonicMs() + 50)
    return told.splice(0)
  }
  return { whole, network, listening, said }
}

t.test('messages and frames come to whoever lives at an address', async t => {
  const { whole, said } = bench()
  const wire = whole.wireOf(N1)
  wire.message('n2:5000' as Address, ['n2.0' as NodeId, { kind: 'ping' }], FROM, false)
  t.same(await said(), ['n2 hears ping', 'n2:5000 took it', 'n2 replies pong to n1:5000'])
  wire.frame('n2:5000' as Address, { kind: 'gone', id: 'x' }, false)
  t.same(await said(), ['n2 gets gone'])
  t.throws(() => wire.message('n2:5000' as Address, ['n2.0' as NodeId, {} as never], FROM, false), TypeError)
})

t.test(
  'what comes on an answer is taken in, and is no request that could be answered on the same connection',
  async t => {
    const { whole, listening, said } = bench()
    const wire = whole.wireOf(N1)
    wire.message('n2:5000' as Address, ['n2.0' as NodeId, { kind: 'ping' }], FROM, true)
    t.same(await said(), ['n2 is answered ping'])
    listening.delete(N2)
    wire.message('n2:5000' as Address, ['n2.0' as NodeId, { kind: 'ping' }], FROM, true)
    t.same(await said(), [], 'nor does its sender learn what became of it')
  },
)

t.test('nothing listens where nobody is', async t => {
  const { whole, listening, said } = bench()
  const wire = whole.wireOf(N1)
  listening.delete(N2)
  wire.frame('n2:5000' as Address, { kind: 'gone', id: 'x' }, false)
  t.same(await said(), ['n2:5000 refuses'])
  listening.add(N2)
  whole.settle(N2, 'n2:5001' as Address)
  t.equal(whole.addressOf(N2), 'n2:5001')
  wire.frame('n2:5000' as Address, { kind: 'gone', id: 'x' }, false)
  t.same(await said(), ['n2:5000 refuses'])
})

t.test('an answer takes the connection on which it was asked', async t => {
  const { whole, network, said } = bench()
  network.cut(N1, N2)
  const wire = whole.wireOf(N1)
  wire.frame('n2:5000' as Address, { kind: 'gone', id: 'x' }, true)
  t.same(await said(), ['n2 gets gone'])
  network.heal(N1, N2)
  network.cut(N2, N1)
  wire.frame('n2:5000' as Address, { kind: 'gone', id: 'x' }, true)
  t.same(await said(), ['n2:5000 refuses'])
})
