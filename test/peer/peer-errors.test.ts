import t from 'tap'
import { howUnreachable, notSigned, refusal, unsupported } from '../../src/peer/peer-errors.ts'
import type { Address } from '../../src/ring/identifier.ts'

const peer = 'peer:1' as Address
const said = (code: string) => Buffer.from(JSON.stringify({ error: { code, message: 'Why.', path: 'a' } }))

t.test('a refusal keeps its code when its answer is signed, or nothing follows from it', async t => {
  t.match(refusal(peer, 409, said('FILE_EXISTS'), true), { code: 'FILE_EXISTS', path: 'a' })
  t.match(refusal(peer, 409, said('FILE_EXISTS'), false), { code: 'UNAVAILABLE', message: /not signed/ })
  t.match(refusal(peer, 401, said('UNAUTHORIZED'), false), { code: 'UNAUTHORIZED' })
  for (const other of [said('NONSENSE'), Buffer.from('<html>'), Buffer.from('null')])
    t.match(refusal(peer, 502, other, true), { code: 'UNAVAILABLE', message: /answered 502/ })
  t.match(unsupported(peer, 3, notSigned(peer)), { code: 'PROTOCOL_UNSUPPORTED' })
})

t.test('a peer that refuses and one that is silent are told apart', async t => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'])
    t.equal(howUnreachable({ code }), 'refused')
  for (const code of ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', undefined])
    t.equal(howUnreachable({ code }), 'silent')
})
