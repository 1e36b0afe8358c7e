import t from 'tap'
import {
  bytesPlot,
  csvOf,
  growthPlot,
  hopsPlot,
  ORIGINAL_FIGURES,
  seriesOf,
  tableOf,
} from '../../../src/lab/experiments/lookup-report.ts'
import type { LookupFigure, LookupScenario } from '../../../src/lab/experiments/lookup-simulated.ts'

const scenario: LookupScenario = {
  nodes: 1000,
  mode: 'path',
  virtualNodes: 8,
  replicas: 3,
  answering: 1,
  wholeMap: false,
  lifetimeSeconds: 600,
  moments: [1],
}
const figure = (
  change: Partial<LookupScenario>,
  moment: number,
  hops: number,
  margin = 0.25,
): LookupFigure => {
  const estimate = (mean: number) => ({ mean, margin, count: 10 })
  return {
    scenario: { ...scenario, ...change },
    moment,
    of: {
      hops: estimate(hops),
      timeouts: estimate(0.01),
      lost: estimate(0),
      stale: estimate(0.02),
      known: estimate(0.9),
      entries: estimate(900_000),
      bytesPerMessage: estimate(1_000),
      recordsPerMessage: estimate(15.5),
      bytesPerJoin: estimate(28_000),
    },
  }
}

t.test('the CSV has as many cells in each line as in its head, with units in the names', async t => {
  const lines = csvOf([
    figure({}, 1, 2.5),
    figure({ mode: 'chain', lifetimeSeconds: undefined }, 10, 3, Number.NaN),
  ])
    .trimEnd()
    .split('\n')
    .map(line => line.split(','))
  t.equal(lines.length, 3)
  const [head, first, second] = lines as [string[], string[], string[]]
  t.equal(first.length, head.length)
  t.equal(second.length, head.length)
  const cell = (line: string[], name: string) => line[head.indexOf(name)]
  t.equal(cell(first, 'hops_per_lookup'), '2.5000')
  t.equal(cell(first, 'hops_per_lookup_ci95'), '0.2500')
  t.equal(cell(first, 'lifetime_s'), '600')
  t.equal(cell(second, 'lifetime_s'), '', 'no churn')
  t.equal(cell(second, 'hops_per_lookup_ci95'), '', 'one seed has no interval')
  t.equal(cell(second, 'learn'), 'chain')
})

t.test('the table shows percent where it says so', async t => {
  const [head, , row] = tableOf([figure({}, 1, 2.5)]) as [string, string, string]
  const cells = (line: string) => line.split('|').map(cell => cell.trim())
  t.equal(cells(row)[cells(head).indexOf('stale %')], '2.00 ± 25.00')
  t.equal(cells(row)[cells(head).indexOf('hops')], '2.500 ± 0.250')
})

t.test('plots name their axes, lines and panels', async t => {
  const figures = [1, 10].flatMap(moment => [
    figure({ mode: 'chain' }, moment, 3),
    figure({ lifetimeSeconds: undefined }, moment, 2),
  ])
  const hops = hopsPlot(figures)
  for (const text of [
    'hops per lookup',
    'lookups that each node has started',
    '1000 nodes',
    'no churn',
    '600 s',
  ])
    t.match(hops, text)
  t.match(hops, seriesOf(figures[0]?.scenario as LookupScenario))
  t.match(bytesPlot(figures), 'bytes per message')
})

t.test('young networks stand beside the figures of the original', async t => {
  const svg = growthPlot(ORIGINAL_FIGURES.map(([nodes]) => figure({ nodes }, 0.5, 1)))
  for (const text of ['the original, as published', 'nodes in the network', 'requests per lookup'])
    t.match(svg, text)
})
