import t from 'tap'
import { formatHistory, parseHistories } from '../../../src/lab/simulator/history-file.ts'
import { create, get, history, ok, put, saw, unknown } from './histories.ts'

const first = history([
  ['c1', 0, 5, create('v1'), ok],
  ['c2', 1, 2, get, saw('v1', 'e1')],
  ['c3', 2, 2, get, saw('v1')],
  ['c3', 3, undefined, put('v2'), unknown],
])
const second = history([['c1', 0, 1, get, saw('v1')]], 'b')

t.test('histories come back from a file as they were', async t => {
  const text = formatHistory('seed 1', first) + formatHistory('nothing', []) + formatHistory('seed 2', second)
  const read = parseHistories(text, 'file')
  t.same([...read.keys()], ['seed 1', 'nothing', 'seed 2'])
  t.same(read.get('seed 1'), first)
  t.same(read.get('nothing'), [])
  t.same(read.get('seed 2'), second)
})

t.test('a file without a header is one history', async t => {
  const text = formatHistory('x', first).split('\n').slice(1).join('\n')
  t.same([...parseHistories(text, 'file.ndjson')], [['file.ndjson', first]])
})

t.test('two histories of one name are refused', async t => {
  t.throws(() => parseHistories(formatHistory('a', first) + formatHistory('a', second), 'file'), TypeError)
})
