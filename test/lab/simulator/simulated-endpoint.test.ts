import t from 'tap'
import { SimulatedEndpoint } from '../../../src/lab/simulator/simulated-endpoint.ts'
import type { Frame } from '../../../src/lab/simulator/simulated-peers.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import { encode } from '../../../src/peer/wire.ts'
import type { Address, NodeId } from '../../../src/ring/identifier.ts'

// What the endpoint answers is in simulated-peers.test.ts.
t.test('who has gone is not answered any more, and a question that comes again is the same', async t => {
  const sent: Frame[] = []
  const gone: boolean[] = []
  const identity = {
    address: 'n1:5000' as Address,
    nodeId: 'n1.0' as NodeId,
    boot: { counter: 1, nonce: '0' },
  }
  const endpoint = new SimulatedEndpoint({
    timers: new VirtualClock(),
    send: (_, frame) => sent.push(frame),
    self: () => identity,
    broken: error => {
      throw error
    },
    reception: () =>
      ({
        call: async (_from: unknown, _call: unknown, signal: AbortSignal) => {
          await new Promise(resolve => signal.addEventListener('abort', resolve))
          gone.push(signal.aborted)
          return {}
        },
      }) as never,
  })
  const question = {
    kind: 'call',
    id: 'x',
    from: identity,
    node: undefined,
    bytes: encode({ kind: 'holdings' }),
  } as const
  endpoint.arrived({ kind: 'gone', id: 'x' })
  endpoint.asked(question)
  endpoint.asked(question)
  t.ok(endpoint.knows('x'))
  endpoint.arrived({ kind: 'gone', id: 'x' })
  await new Promise(setImmediate)
  t.same(gone, [true])
  t.equal(sent.length, 1)
  endpoint.asked(question)
  t.equal(sent.length, 2, 'the answer of before')
})
