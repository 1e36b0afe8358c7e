import t from 'tap'
import { isBody, subjectsOf } from '../../../src/lab/simulator/message-subjects.ts'
import type { Envelope, Message } from '../../../src/replication/chain/messages.ts'

t.test('a message is about views and paths, and few bring a body', async t => {
  const of = (message: object) => ({ message: message as Message }) as Envelope
  t.same(subjectsOf(of({ kind: 'ping' }).message), [])
  t.same(subjectsOf(of({ kind: 'read', viewId: 'v1', path: 'p1' }).message), ['v1', 'p1'])
  t.same(subjectsOf(of({ kind: 'install', view: { id: 'v2' } }).message), ['v2'])
  t.same(subjectsOf(of({ kind: 'pass', record: { path: 'p2' }, request: { path: 'p3' } }).message), [
    'p2',
    'p3',
  ])
  t.ok(isBody(of({ kind: 'blob' })))
  t.notOk(isBody(of({ kind: 'pass' })))
})
