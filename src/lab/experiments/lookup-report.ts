/**
 * How the figures of the lookup experiment are shown: as CSV, as a table for a terminal, and as plots.
 */
import { linePlot, type PlotPoint } from '../plots.ts'
import type { Estimate } from './estimate.ts'
import type { LookupFigure, LookupMeasurement, LookupScenario } from './lookup-simulated.ts'

/** The columns of the CSV: name, unit in the name, and which measurement. */
const MEASURES: readonly {
  readonly column: string
  readonly name: keyof LookupMeasurement
  readonly digits: number
}[] = [
  { column: 'hops_per_lookup', name: 'hops', digits: 4 },
  { column: 'timeouts_per_lookup', name: 'timeouts', digits: 5 },
  { column: 'lost_share', name: 'lost', digits: 6 },
  { column: 'stale_share', name: 'stale', digits: 5 },
  { column: 'known_share', name: 'known', digits: 4 },
  { column: 'entries_in_network', name: 'entries', digits: 1 },
  { column: 'teaching_bytes_per_message', name: 'bytesPerMessage', digits: 1 },
  { column: 'records_per_message', name: 'recordsPerMessage', digits: 2 },
  { column: 'map_bytes_per_join', name: 'bytesPerJoin', digits: 0 },
]

/**
 * One line for each scenario and moment; beside each mean the half width of its 95 % confidence interval (empty for a
 * single seed).
 */
export function csvOf(figures: readonly LookupFigure[]): string {
  const head = [
    'nodes',
    'learn',
    'maps_at_join',
    'lifetime_s',
    'virtual_nodes',
    'answering_replicas',
    'lookups_per_node',
    'seeds',
    ...MEASURES.flatMap(({ column }) => [column, `${column}_ci95`]),
  ]
  const lines = figures.map(({ scenario, moment, of }) => [
    scenario.nodes,
    scenario.mode,
    scenario.wholeMap ? 'yes' : 'no',
    scenario.lifetimeSeconds ?? '',
    scenario.virtualNodes,
    scenario.answering,
    moment,
    of.hops.count,
    ...MEASURES.flatMap(({ name, digits }) => [of[name].mean.toFixed(digits), marginText(of[name], digits)]),
  ])
  return `${[head, ...lines].map(line => line.join(',')).join('\n')}\n`
}

/** Which line of a plot a scenario belongs to. */
export function seriesOf({ mode, wholeMap }: LookupScenario): string {
  if (mode === 'chain') return 'the chain alone'
  return wholeMap ? '+ 16 records a message, maps exchanged at join' : '+ 16 records a message'
}

/** Lines for a terminal, in Markdown, so that they can be pasted into a report. */
export function tableOf(figures: readonly LookupFigure[]): string[] {
  const rows = figures.map(({ scenario, moment, of }) => [
    String(scenario.nodes),
    scenario.lifetimeSeconds === undefined ? 'none' : `${scenario.lifetimeSeconds} s lifetimes`,
    seriesOf(scenario),
    String(moment),
    shown(of.hops, 3),
    shown(of.timeouts, 4),
    shown(percent(of.stale), 2),
    shown(percent(of.known), 1),
    of.bytesPerMessage.mean.toFixed(0),
    of.bytesPerJoin.mean.toFixed(0),
  ])
  const head = [
    'nodes',
    'churn',
    'what teaches',
    'lookups a node so far',
    'hops',
    'timeouts a lookup',
    'stale %',
    'known %',
    'bytes a message',
    'bytes a join',
  ]
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`)
}

/** Hops over lookups, one panel for each kind of churn. All figures are of networks of one size. */
export function hopsPlot(figures: readonly LookupFigure[]): string {
  const nodes = figures[0]?.scenario.nodes
  return linePlot({
    title: `Hops of a lookup in a simulated network of ${nodes} nodes`,
    xLabel: 'lookups that each node has started so far (logarithmic)',
    yLabel: 'hops per lookup (mean, 95 % confidence)',
    xScale: 'log',
    points: figures.map(figure => ({
      panel: panelOf(figure.scenario),
      series: seriesOf(figure.scenario),
      x: figure.moment,
      ...bar(figure.of.hops),
    })),
  })
}

/** What the teaching costs over lookups, one panel for each kind of churn. */
export function bytesPlot(figures: readonly LookupFigure[]): string {
  const nodes = figures[0]?.scenario.nodes
  return linePlot({
    title: `Bytes that a message carries to teach, ${nodes} nodes`,
    xLabel: 'lookups that each node has started so far (logarithmic)',
    yLabel: 'bytes per message (mean, 95 % confidence)',
    xScale: 'log',
    points: figures.map(figure => ({
      panel: panelOf(figure.scenario),
      series: seriesOf(figure.scenario),
      x: figure.moment,
      ...bar(figure.of.bytesPerMessage),
    })),
  })
}

/**
 * The figures that the original system (the altered Chord that this project began with) gave for networks right after
 * their start: nodes, requests per lookup counting the final answer, entries of all maps.
 */
export const ORIGINAL_FIGURES: readonly (readonly [number, number, number])[] = [
  [5, 1.95, 24],
  [10, 2.3, 69],
  [15, 2.57, 135],
  [20, 2.73, 174],
  [25, 2.7, 212],
  [30, 3.03, 281],
  [35, 3.22, 319],
]

/** Requests per lookup and entries of the maps over the size of young networks, beside those of the original. */
export function growthPlot(figures: readonly LookupFigure[]): string {
  const requests = 'requests per lookup, the answer counted'
  const entries = 'entries of all maps, divided by 100'
  const original: PlotPoint[] = ORIGINAL_FIGURES.flatMap(([x, lookup, edges]) => [
    { panel: requests, series: 'the original, as published', x, ...exactly(lookup) },
    { panel: entries, series: 'the original, as published', x, ...exactly(edges / 100) },
  ])
  const ours: PlotPoint[] = figures.flatMap(({ scenario, of }) => [
    { panel: requests, series: seriesOf(scenario), x: scenario.nodes, ...bar(of.hops, 1) },
    { panel: entries, series: seriesOf(scenario), x: scenario.nodes, ...bar(of.entries, 0, 100) },
  ])
  return linePlot({
    title: 'Networks right after their start: the first lookup of each node',
    xLabel: 'nodes in the network',
    yLabel: 'see the panel (mean, 95 % confidence)',
    xScale: 'linear',
    points: [...original, ...ours],
  })
}

function panelOf({ lifetimeSeconds }: LookupScenario): string {
  return lifetimeSeconds === undefined ? 'no churn' : `nodes crash after ${lifetimeSeconds} s on average`
}

function bar({ mean, margin }: Estimate, plus = 0, unit = 1): Pick<PlotPoint, 'y' | 'low' | 'high'> {
  const y = mean / unit + plus
  return { y, low: y - margin / unit, high: y + margin / unit }
}

function exactly(y: number): Pick<PlotPoint, 'y' | 'low' | 'high'> {
  return { y, low: y, high: y }
}

function percent({ mean, margin, count }: Estimate): Estimate {
  return { mean: 100 * mean, margin: 100 * margin, count }
}

function shown(estimate: Estimate, digits: number): string {
  const margin = marginText(estimate, digits)
  return margin === '' ? estimate.mean.toFixed(digits) : `${estimate.mean.toFixed(digits)} ± ${margin}`
}

function marginText({ margin }: Estimate, digits: number): string {
  return Number.isNaN(margin) ? '' : margin.toFixed(digits)
}
