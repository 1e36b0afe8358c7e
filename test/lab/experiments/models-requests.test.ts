import t from 'tap'
import { drawRequests, readRequests } from '../../../src/lab/experiments/models-requests.ts'

t.test('the same seed draws the same requests', async t => {
  for (const experiment of ['insert', 'query', 'consistency'] as const) {
    const drawn = drawRequests(experiment, { operations: 50, seed: 7 })
    t.equal(drawn.length, 50)
    t.same(drawRequests(experiment, { operations: 50, seed: 7 }), drawn)
    t.notSame(drawRequests(experiment, { operations: 50, seed: 8 }), drawn)
  }
  const kinds = drawRequests('consistency', { operations: 400, seed: 1 }).map(({ kind }) => kind)
  t.ok(kinds.filter(kind => kind === 'insert').length > 100)
  t.ok(kinds.filter(kind => kind === 'query').length > 100)
  t.equal(new Set(drawRequests('insert', { operations: 50, seed: 7 }).map(({ key }) => key)).size, 50)
})

t.test('requests are read, one in each line', async t => {
  t.same(readRequests('insert', 'Like a Rolling Stone, 1\r\n\nGet Up, Stand Up,2\n'), [
    { kind: 'insert', key: 'Like a Rolling Stone', value: '1' },
    { kind: 'insert', key: 'Get Up, Stand Up', value: '2' },
  ])
  t.same(readRequests('query', 'Get Up, Stand Up\n'), [{ kind: 'query', key: 'Get Up, Stand Up' }])
  t.same(readRequests('consistency', 'insert, Hey Jude, 5\nquery, Hey Jude'), [
    { kind: 'insert', key: 'Hey Jude', value: '5' },
    { kind: 'query', key: 'Hey Jude' },
  ])
})

t.test('a line that is no request is named', async t => {
  t.throws(() => readRequests('insert', 'a, 1\nb\n'), { code: 'INVALID_REQUEST', message: /^Line 2 / })
  t.throws(() => readRequests('insert', ', 1'), { code: 'INVALID_REQUEST' })
  t.throws(() => readRequests('consistency', 'delete, a'), { code: 'INVALID_REQUEST' })
  t.throws(() => readRequests('consistency', 'insert, a'), { code: 'INVALID_REQUEST' })
  t.throws(() => readRequests('query', '\n \n'), { code: 'INVALID_REQUEST', message: /There are 0 requests/ })
})
