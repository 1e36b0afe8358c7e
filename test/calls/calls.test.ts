import t from 'tap'
import { datedOf, isPeerCall } from '../../src/calls/calls.ts'
import { record } from '../routing/any.ts'

const LOOKUP = { key: 'a'.repeat(40), visited: ['n'], hopsLeft: 3, budgetMs: 100.5, suspects: [] }

t.test('what is in the table, with what it needs, is a call', async t => {
  const calls: object[] = [
    { kind: 'join', record: record('a') },
    { kind: 'join', record: record('a'), wish: { replicas: 2 } },
    { kind: 'join', record: record('a'), takesPlace: true },
    { kind: 'learn', records: [record('a')] },
    { kind: 'lookup', request: LOOKUP },
    {
      kind: 'lookup',
      request: {
        ...LOOKUP,
        suspects: [{ suspect: record('b'), observer: 'n' }],
        piggyback: {
          from: record('a'),
          news: [],
          records: [record('b')],
          digest: { from: 0, to: 0, salt: 1, bits: new Uint8Array(4) },
        },
      },
    },
    { kind: 'has-body', blobId: 'x' },
    { kind: 'list', prefix: '', limit: 10 },
    { kind: 'ranges' },
    { kind: 'digests', lo: 'a'.repeat(40), hi: 'b'.repeat(40), prefixes: ['', '0f'] },
    { kind: 'versions', lo: 'a'.repeat(40), hi: 'b'.repeat(40), prefix: '0f0f' },
    { kind: 'record', path: 'a' },
    { kind: 'mend', path: 'a', from: 'n' },
    { kind: 'heal', silent: ['n'] },
  ]
  for (const call of calls) t.ok(isPeerCall(call, 4), JSON.stringify(call))
})

t.test('nothing else is', async t => {
  const values: unknown[] = [
    undefined,
    null,
    7,
    'join',
    [],
    {},
    { kind: 7 },
    { kind: 'toString' },
    { kind: 'leave' },
    { kind: 'join' },
    { kind: 'join', record: { ...record('a'), incarnation: -1 } },
    { kind: 'join', record: record('a'), wish: { replicas: 'many' } },
    { kind: 'join', record: record('a'), takesPlace: 'yes' },
    { kind: 'learn', records: [null] },
    { kind: 'lookup', request: { ...LOOKUP, key: 'x' } },
    { kind: 'lookup', request: { ...LOOKUP, piggyback: {} } },
    { kind: 'list', prefix: '', limit: 0 },
    { kind: 'has-body' },
    { kind: 'digests', lo: 'x', hi: 'b'.repeat(40), prefixes: [] },
    { kind: 'versions', lo: 'a'.repeat(40), hi: 'b'.repeat(40), prefix: '0f0f0' },
    { kind: 'heal', silent: 'n' },
  ]
  for (const value of values) t.notOk(isPeerCall(value, 4), JSON.stringify(value))
})

t.test('what is newer than the version that it comes in is none', async t => {
  const from = { address: 'a:1', nodeId: 'a', boot: { counter: 1, nonce: 'x' } }
  const forwarded = { kind: 'forwarded', from, messages: [] }
  t.ok(isPeerCall(forwarded, 4))
  t.notOk(isPeerCall(forwarded, 3))
  t.equal(datedOf({ kind: 'recoveries' }).since, 3)
})
