import t from 'tap'
import { Refusals } from '../../src/peer/refusals.ts'

t.test('each sender is told of once for each reason', async t => {
  const said: string[] = []
  const log = { debug: () => said.push('debug'), info() {}, warn: () => said.push('warn'), error() {} }
  const refusals = new Refusals({ log })
  const one = { op: 'peer.refused', peer: 'a', url: '/peer/call', code: 'UNAUTHORIZED' } as const
  refusals.note(one)
  refusals.note(one)
  refusals.note({ ...one, code: 'INVALID_REQUEST' })
  refusals.note({ ...one, peer: 'b' })
  t.same(said, ['warn', 'debug', 'warn', 'warn'])
})

t.test('however many senders there are, the memory of them has a limit', async t => {
  const said: string[] = []
  const log = { debug: () => said.push('debug'), info() {}, warn: () => said.push('warn'), error() {} }
  const refusals = new Refusals({ log })
  for (let peer = 0; peer <= 1000; peer++)
    refusals.note({ op: 'peer.refused', peer: String(peer), url: '/', code: 'UNAUTHORIZED' })
  refusals.note({ op: 'peer.refused', peer: '0', url: '/', code: 'UNAUTHORIZED' })
  t.equal(
    said.filter(level => level === 'warn').length,
    1002,
    'the oldest was forgotten, and is told of again',
  )
})
