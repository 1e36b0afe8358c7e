import t from 'tap'
import {
  describeAction,
  describeAnswer,
  type HistoryEvent,
  HistoryRecorder,
  parseHistory,
} from '../../../src/lab/simulator/history.ts'
import { create, get, missing, ok, put, remove, removeIf, replace, saw, taken } from './histories.ts'

function recorder(prefix = '') {
  const time = { ms: 0 }
  const lines: string[] = []
  const history = new HistoryRecorder(
    { clock: { monotonicMs: () => time.ms } },
    { prefix, written: (event: HistoryEvent) => lines.push(JSON.stringify(event)) },
  )
  return { time, history, text: () => lines.map(line => `${line}\n`).join('') }
}

t.test('what is recorded can be read back from its lines', async t => {
  const { time, history, text } = recorder()
  const first = history.invoked('c1', 'a', create('v1'))
  time.ms = 5
  const second = history.invoked('c2', 'a', get)
  time.ms = 7
  history.answered(first, ok)
  time.ms = 9
  const third = history.invoked('c3', 'b', remove)
  history.answered(second, saw('v1', 'e1'))
  const operations = history.operations()
  t.match(operations, [
    { id: first, client: 'c1', path: 'a', invokedAtMs: 0, answeredAtMs: 7, answer: ok },
    { id: second, client: 'c2', path: 'a', invokedAtMs: 5, answer: saw('v1', 'e1') },
    {
      id: third,
      client: 'c3',
      path: 'b',
      invokedAtMs: 9,
      answeredAtMs: undefined,
      answer: { kind: 'unknown' },
    },
  ])
  t.same(parseHistory([text()]), operations)
  t.throws(() => history.answered(second, ok), TypeError)
  t.throws(() => history.answered('none', ok), TypeError)
})

t.test('two events of one moment keep their order', async t => {
  const { history } = recorder()
  const first = history.invoked('c1', 'a', put('v1'))
  history.answered(first, ok)
  history.invoked('c1', 'a', put('v2'))
  const [before, after] = history.operations()
  t.ok((before?.answeredAtMs ?? 0) > (before?.invokedAtMs ?? 0))
  t.ok((before?.answeredAtMs ?? 0) < (after?.invokedAtMs ?? 0))
})

t.test('the histories of several processes are put together by their times', async t => {
  const one = recorder('p1.')
  const two = recorder('p2.')
  two.time.ms = 3
  two.history.answered(two.history.invoked('c2', 'a', get), missing)
  one.time.ms = 1
  one.history.invoked('c1', 'a', put('v1'))
  one.time.ms = 8
  one.history.invoked('c1', 'a', put('v2'))
  const operations = parseHistory([one.text(), two.text()])
  t.same(
    operations.map(operation => operation.id),
    ['p1.1', 'p2.1', 'p1.2'],
  )
})

t.test('a line that a killed process left half is ignored, any other is not', async t => {
  const { history, text } = recorder()
  history.answered(history.invoked('c1', 'a', get), missing)
  const whole = text()
  const half = whole.slice(0, -20)
  t.match(parseHistory([half]), [{ answeredAtMs: undefined }])
  t.throws(() => parseHistory([`nonsense\n${whole}`]), /Line 1/)
  t.throws(() => parseHistory([`{"event":"other"}\n${whole}`]), /Line 1/)
  t.throws(() => parseHistory([whole, whole]), /Two operations/)
  const answer = whole.split('\n')[1] ?? ''
  t.throws(() => parseHistory([`${answer}\n`]), /does not wait/)
  t.throws(() => parseHistory([`${whole}${answer}\n`]), /does not wait/)
})

t.test('actions and answers are described in a few words', async t => {
  t.same([get, put('v1'), create('v1'), replace('e1', 'v2'), remove, removeIf('e1')].map(describeAction), [
    'get',
    'put v1',
    'create v1',
    'replace e1 by v2',
    'remove',
    'remove e1',
  ])
  t.same(
    [saw('v1', 'e1'), ok, missing, taken, { kind: 'ok', etag: 'e1', created: false } as const].map(
      describeAnswer,
    ),
    ['v1 e1', 'ok', 'FILE_NOT_FOUND', 'FILE_EXISTS', 'ok e1 replaced'],
  )
})
