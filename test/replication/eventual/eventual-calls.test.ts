import t from 'tap'
import { isPeerCall } from '../../../src/calls/calls.ts'
import { decode, encode } from '../../../src/peer/wire.ts'
import { merge, stateOf } from '../../../src/replication/eventual/eventual-record.ts'
import { PATH, Writer } from './records.ts'

const [a, b] = [new Writer('a/1'), new Writer('b/1')]
const file = a.put(10_000)
b.put(20_000)
const record = merge(a.record, b.record)
const { body, meta } = file
const collected = [[PATH, stateOf(record)]]
const CALLS = [
  { kind: 'eventual-accept', path: PATH, condition: 'absent', request: 'r', file: { body, meta } },
  {
    kind: 'eventual-accept',
    path: PATH,
    condition: { etags: ['"1.2-00000000"'] },
    request: 'r',
    file: undefined,
  },
  { kind: 'eventual-fetch', path: PATH },
  { kind: 'eventual-take', records: [record], memory: '' },
  { kind: 'eventual-confirm', records: [record] },
  { kind: 'eventual-collected', collected },
]

t.test('what nodes ask is understood as it arrives, since version 5', async t => {
  for (const call of CALLS) {
    const arrived = decode(encode(call))
    t.equal(isPeerCall(arrived, 5), true, call.kind)
    t.equal(isPeerCall(arrived, 4), false, call.kind)
  }
})

t.test('what is not well made is refused', async t => {
  const wrong = [
    { ...record, seen: [['a/1', [[3, 1]]]] },
    {
      ...record,
      seen: [
        [
          'a/1',
          [
            [1, 1],
            [2, 3],
          ],
        ],
      ],
    },
    {
      ...record,
      seen: [
        ['b/1', [[1, 1]]],
        ['a/1', [[1, 1]]],
      ],
    },
    { ...record, holders: ['b', 'a'] },
    { ...record, path: '../x' },
    { ...record, siblings: Array.from({ length: 9 }, () => file) },
    { ...record, siblings: [{ ...file, dot: { actor: 'a/1', n: 0 } }] },
  ]
  for (const one of wrong)
    t.equal(isPeerCall({ kind: 'eventual-take', records: [one], memory: '' }, 5), false)
})
