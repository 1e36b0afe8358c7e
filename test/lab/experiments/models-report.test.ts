import t from 'tap'
import { estimateOf } from '../../../src/lab/experiments/estimate.ts'
import { latencyOf, type ModelFigure } from '../../../src/lab/experiments/models-real.ts'
import {
  csvOf,
  joined,
  lineOf,
  linesIn,
  modelsPage,
  tableOf,
} from '../../../src/lab/experiments/models-report.ts'

const figure: ModelFigure = {
  experiment: 'insert',
  network: { nodes: 10, replicas: 1, consistency: 'chain' },
  clients: 1,
  requests: 500,
  perSecond: estimateOf([100, 120]),
  insert: { p50Ms: 8, p99Ms: 20 },
  query: undefined,
  failed: 0,
  stale: undefined,
  passedOnMs: 0,
}
const terms = { seed: 1, machine: '2 cores', day: '2026-11-28' }
const line = lineOf(figure, terms)
const deeper = lineOf(
  {
    ...figure,
    network: { ...figure.network, replicas: 5 },
    perSecond: estimateOf([55]),
    insert: { p50Ms: 16, p99Ms: 40 },
  },
  terms,
)
const stale = lineOf(
  {
    ...figure,
    experiment: 'consistency',
    network: { ...figure.network, consistency: 'eventual', replicas: 3 },
    query: { p50Ms: 2, p99Ms: 5 },
    stale: { queries: 250, stale: 5, oldestMs: 12.34 },
  },
  terms,
)

t.test('percentiles are those of the nearest rank', async t => {
  t.equal(latencyOf([]), undefined)
  t.same(latencyOf([5]), { p50Ms: 5, p99Ms: 5 })
  t.same(latencyOf(Array.from({ length: 200 }, (_, index) => 200 - index)), { p50Ms: 100, p99Ms: 198 })
})

t.test('figures are written, and read again', async t => {
  const text = csvOf([line, stale])
  t.same(linesIn(text), [line, stale])
  t.match(text, /^insert,chain,1,1,10,500,1,2 cores,110\.0,127\.1,8\.0,20\.0,,,0,,,,0\.0,2026-11-28$/m)
  t.equal(linesIn('nodes\n5\n'), undefined)
  t.equal(linesIn(''), undefined)
})

t.test('a later figure takes the place of the same one, and others stay', async t => {
  const later = lineOf({ ...figure, failed: 3 }, terms)
  t.same(joined([deeper, stale, line], [later]), [later, deeper, stale])
  const other = lineOf({ ...figure, network: { ...figure.network, nodes: 5, replicas: 3 } }, terms)
  t.equal(joined([line], [other]), undefined, 'networks of two sizes are not one page')
})

t.test('tables show what was measured', async t => {
  t.same(tableOf([line]), [
    '| clients | model | k | a second | insert, p50 ms | p99 | passed on after, ms | failed |',
    '| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    '| 1 | chain | 1 | 110.0 ± 127.1 | 8.0 | 20.0 | 0.0 | 0 |',
  ])
  t.match(tableOf([stale]).at(-1), '| 5 of 250 | 12.3 |')
})

t.test('the page says what comes of the figures', async t => {
  const files = new Map(modelsPage([line, deeper, stale], 'the command'))
  t.same([...files.keys()].sort(), [
    'README.md',
    'consistency-insert-latency.svg',
    'consistency-query-latency.svg',
    'consistency-stale.svg',
    'consistency-throughput.svg',
    'figures.csv',
    'insert-insert-latency.svg',
    'insert-throughput.svg',
  ])
  const page = files.get('README.md') ?? ''
  t.match(page, 'from k = 1 to 5: the median time times 2.0, the throughput times 0.50.')
  t.match(page, '- Stale queries, eventual: 5 of 250.')
  for (const name of files.keys())
    if (name.endsWith('.svg')) t.match(page, `](${name})`, `${name} is on the page`)
  t.match(files.get('consistency-stale.svg'), '% of the queries')
  t.match(files.get('insert-throughput.svg'), 'copies of each pair (k)')
})
