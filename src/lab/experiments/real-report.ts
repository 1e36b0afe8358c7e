/**
 * Owns how the figures of the experiments with real processes are shown: as CSV, as tables for a terminal, and as plots
 * beside the original system's.
 */
import { linePlot, type PlotPoint } from '../plots.ts'
import type { Estimate } from './estimate.ts'
import type { RealLookupFigure } from './lookup-real.ts'
import { ORIGINAL_FIGURES } from './lookup-report.ts'
import type { MemoryFigure } from './memory-real.ts'

const MEBIBYTE = 2 ** 20

/** One line for each network and moment; `_ci95` is half of the confidence interval over runs, empty for a single one. */
export function lookupCsv(figures: readonly RealLookupFigure[]): string {
  const head = [
    'nodes',
    'learn',
    'virtual_nodes',
    'replicas',
    'moment',
    'runs',
    'lookups_per_run',
    'requests_per_lookup',
    'requests_per_lookup_ci95',
    'lost_lookups',
    'edges_before',
    'edges_after',
    'original_requests_per_lookup',
    'original_edges',
  ]
  const lines = figures.map(({ scenario, moment, lookups, requests, lost, edgesBefore, edgesAfter }) => [
    scenario.nodes,
    scenario.learn,
    scenario.virtualNodes,
    scenario.replicas,
    moment,
    requests.count,
    lookups,
    requests.mean.toFixed(3),
    Number.isNaN(requests.margin) ? '' : requests.margin.toFixed(3),
    lost.mean.toFixed(1),
    edgesBefore.mean.toFixed(1),
    edgesAfter.mean.toFixed(1),
    originalOf(scenario.nodes)?.[1] ?? '',
    originalOf(scenario.nodes)?.[2] ?? '',
  ])
  return csv([head, ...lines])
}

export function lookupTable(figures: readonly RealLookupFigure[]): string[] {
  const head = [
    'nodes',
    'learn',
    'moment',
    'requests a lookup',
    'edges before',
    'edges after',
    'original: requests',
    'edges',
  ]
  const rows = figures.map(({ scenario, moment, requests, edgesBefore, edgesAfter }) => [
    String(scenario.nodes),
    scenario.learn,
    moment,
    shown(requests, 2),
    edgesBefore.mean.toFixed(0),
    edgesAfter.mean.toFixed(0),
    String(originalOf(scenario.nodes)?.[1] ?? ''),
    String(originalOf(scenario.nodes)?.[2] ?? ''),
  ])
  return markdown([head, ...rows])
}

/** Requests per lookup and edges over the size of the network, beside the original system's. */
export function lookupPlot(figures: readonly RealLookupFigure[]): string {
  const requests = 'requests per lookup, the answer counted'
  const edges = 'nodes known, all maps together, divided by 100'
  const original = ORIGINAL_FIGURES.flatMap(([x, lookup, known]): PlotPoint[] => [
    { panel: requests, series: 'the original, as published', x, ...exactly(lookup) },
    { panel: edges, series: 'the original, as published', x, ...exactly(known / 100) },
  ])
  const ours = figures.flatMap(({ scenario, moment, requests: taken, edgesAfter }): PlotPoint[] => {
    const what = scenario.learn === 'chain' ? 'the chain alone teaches' : 'messages teach'
    const series = `${what}, ${moment === 'start' ? 'right after start' : 'warm'}`
    const x = scenario.nodes
    return [
      { panel: requests, series, x, ...withBar(taken, 1) },
      { panel: edges, series, x, ...withBar(edgesAfter, 100) },
    ]
  })
  return linePlot({
    title: 'Lookups in networks of real processes',
    xLabel: 'nodes in the network',
    yLabel: 'see the panel',
    xScale: 'linear',
    points: [...original, ...ours],
  })
}

export function memoryCsv(figures: readonly MemoryFigure[]): string {
  const head = [
    'nodes',
    'virtual_nodes',
    'replicas',
    'rss_anon_mib_mean',
    'rss_anon_mib_min',
    'rss_anon_mib_max',
    'map_nodes_mean',
  ]
  return csv([head, ...figures.map(figure => memoryRow(figure))])
}

export function memoryTable(figures: readonly MemoryFigure[]): string[] {
  const head = [
    'nodes',
    'places a node',
    'copies',
    'RssAnon a node, MiB',
    'least',
    'most',
    'other nodes in its map',
  ]
  return markdown([head, ...figures.map(figure => memoryRow(figure).map(String))])
}

/** Memory of a node, with the least and the most as a bar, and the size of its map. */
export function memoryPlot(figures: readonly MemoryFigure[]): string {
  const points = figures.flatMap(({ scenario, residentBytes, mapSizes }): PlotPoint[] => {
    const x = scenario.nodes
    const [y, low, high] = summary(residentBytes.map(bytes => bytes / MEBIBYTE))
    return [
      {
        panel: 'RssAnon of an idle node, MiB (mean, least, most)',
        series: 'real processes',
        x,
        y,
        low,
        high,
      },
      { panel: 'other nodes in its map', series: 'real processes', x, ...exactly(summary(mapSizes)[0]) },
    ]
  })
  return linePlot({
    title: 'Memory of an idle node in networks of real processes',
    xLabel: 'nodes in the network',
    yLabel: 'see the panel',
    xScale: 'linear',
    points,
  })
}

function memoryRow({ scenario, residentBytes, mapSizes }: MemoryFigure): (string | number)[] {
  const { nodes, virtualNodes, replicas } = scenario
  const mebibytes = summary(residentBytes.map(bytes => bytes / MEBIBYTE)).map(value => value.toFixed(1))
  return [nodes, virtualNodes, replicas, ...mebibytes, summary(mapSizes)[0].toFixed(1)]
}

/** Mean, least, most. */
function summary(values: readonly number[]): [number, number, number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return [mean, Math.min(...values), Math.max(...values)]
}

function originalOf(nodes: number) {
  return ORIGINAL_FIGURES.find(([size]) => size === nodes)
}

function withBar({ mean, margin }: Estimate, unit: number): Pick<PlotPoint, 'y' | 'low' | 'high'> {
  return { y: mean / unit, low: (mean - margin) / unit, high: (mean + margin) / unit }
}

function exactly(y: number): Pick<PlotPoint, 'y' | 'low' | 'high'> {
  return { y, low: y, high: y }
}

function shown({ mean, margin }: Estimate, digits: number): string {
  return Number.isNaN(margin) ? mean.toFixed(digits) : `${mean.toFixed(digits)} ± ${margin.toFixed(digits)}`
}

function csv(lines: readonly (readonly (string | number)[])[]): string {
  return `${lines.map(line => line.join(',')).join('\n')}\n`
}

function markdown([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`)
}
