import t from 'tap'
import { estimateOf } from '../../../src/lab/experiments/estimate.ts'
import type { RealLookupFigure } from '../../../src/lab/experiments/lookup-real.ts'
import {
  knownPlot,
  lookupCsv,
  lookupPlot,
  lookupTable,
  memoryCsv,
  memoryPlot,
  memoryTable,
} from '../../../src/lab/experiments/real-report.ts'

const scenario = { nodes: 5, learn: 'path' as const, virtualNodes: 1, replicas: 3 }
const figure: RealLookupFigure = {
  scenario,
  moment: 'start',
  lookups: 100,
  requests: estimateOf([1.5, 1.7]),
  lost: estimateOf([0, 1]),
  edgesBefore: estimateOf([19, 20]),
  edgesAfter: estimateOf([20, 20]),
}
const single: RealLookupFigure = {
  ...figure,
  scenario: { ...scenario, nodes: 6, learn: 'chain' },
  moment: 'warm',
  requests: estimateOf([1.25]),
}
const memory = {
  scenario: { nodes: 2, virtualNodes: 8, replicas: 3, learn: 'path' as const },
  residentBytes: [60 * 2 ** 20, 80 * 2 ** 20],
  mapSizes: [1, 1],
}

t.test('lookups as CSV and as a table, beside the original where it was measured', async t => {
  const [head, ...lines] = lookupCsv([figure, single]).trimEnd().split('\n')
  t.match(head, /^nodes,learn,.*,requests_per_lookup,requests_per_lookup_ci95,/)
  t.same(lines, [
    '5,path,1,3,start,2,100,1.600,1.271,0.5,19.5,20.0,1.95,24',
    '6,chain,1,3,warm,1,100,1.250,,0.5,19.5,20.0,,',
  ])
  for (const line of lines) t.equal(line.split(',').length, head?.split(',').length)
  t.equal(lookupTable([figure, single])[2], '| 5 | path | start | 1.60 ± 1.27 | 20 | 20 | 1.95 | 24 |')
  t.equal(lookupTable([figure, single])[3], '| 6 | chain | warm | 1.25 | 20 | 20 |  |  |')
})

t.test('memory as CSV and as a table', async t => {
  t.equal(memoryCsv([memory]).split('\n')[1], '2,8,3,70.0,60.0,80.0,1.0')
  t.equal(memoryTable([memory]).at(-1), '| 2 | 8 | 3 | 70.0 | 60.0 | 80.0 | 1.0 |')
})

t.test('plots name their lines, and what their axes show', async t => {
  const lookups = lookupPlot([figure, single])
  const known = knownPlot([figure, single])
  const ofMemory = memoryPlot([memory])
  t.match(lookups, 'requests per lookup, the answer counted')
  t.match(known, 'other nodes known, the sum over all nodes')
  t.match(ofMemory, 'anonymous resident memory (RssAnon) of a node, MiB')
  for (const plot of [lookups, known, ofMemory]) t.match(plot, 'nodes in the network')
  for (const name of [
    'the original, as published',
    'messages teach, right after start',
    'the chain alone teaches, warm',
  ])
    t.match(lookups + known, name)
  t.notMatch(lookups + known + ofMemory, 'NaN')
})
