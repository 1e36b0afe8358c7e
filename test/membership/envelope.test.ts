import t from 'tap'
import { isEnvelope } from '../../src/membership/envelope.ts'

t.test('a message travels with the disk that is meant, in a version that has it', async t => {
  t.ok(isEnvelope(['d', { kind: 'ping' }], 1))
  const settled = { kind: 'settled', path: 'a', moveId: 'm' }
  t.notOk(isEnvelope(['d', settled], 2), 'older than the message')
  for (const wrong of [undefined, {}, ['d'], [1, { kind: 'ping' }], ['d', { kind: 'nonsense' }]])
    t.notOk(isEnvelope(wrong, 3), JSON.stringify(wrong))
})
