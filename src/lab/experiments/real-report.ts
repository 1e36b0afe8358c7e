/**
 * How the figures of the experiments with real processes are shown: as CSV, as tables for a terminal, and as plots
 * beside the original system's.
 */
import { linePlot, type PlotPoint } from '../plots.ts'
import type { Estimate } from './estimate.ts'
import type { RealLookupFigure } from './lookup-real.ts'
import { ORIGINAL_FIGURES } from './lookup-report.ts'
import type { MemoryFigure } from './memory-real.ts'

const MEBIBYTE = 2 ** 20

/** Each plot shows one quantity, which its axis names. */
const PANEL = 'real processes on one machine'

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

/** Requests per lookup over the size of the network, beside the original system's. */
export function lookupPlot(figures: readonly RealLookupFigure[]): string {
  return besideOriginal(figures, {
    title: 'Lookups in networks of real processes',
    yLabel: 'requests per lookup, the answer counted',
    original: ([, requests]) => requests,
    ours: ({ requests }) => requests,
  })
}

/** Nodes that all maps know together, over the size of the network, beside the original system's. */
export function knownPlot(figures: readonly RealLookupFigure[]): string {
  return besideOriginal(figures, {
    title: 'What the nodes know after the lookups',
    yLabel: 'other nodes known, the sum over all nodes',
    original: ([, , known]) => known,
    ours: ({ edgesAfter }) => edgesAfter,
  })
}

function besideOriginal(
  figures: readonly RealLookupFigure[],
  plot: {
    readonly title: string
    readonly yLabel: string
    readonly original: (figure: (typeof ORIGINAL_FIGURES)[number]) => number
    readonly ours: (figure: RealLookupFigure) => Estimate
  },
): string {
  const { title, yLabel } = plot
  const original = ORIGINAL_FIGURES.map((figure): PlotPoint => {
    return {
      panel: PANEL,
      series: 'the original, as published',
      x: figure[0],
      ...exactly(plot.original(figure)),
    }
  })
  const ours = figures.map((figure): PlotPoint => {
    const { scenario, moment } = figure
    const what = scenario.learn === 'chain' ? 'the chain alone teaches' : 'messages teach'
    const series = `${what}, ${moment === 'start' ? 'right after start' : 'warm'}`
    return { panel: PANEL, series, x: scenario.nodes, ...withBar(plot.ours(figure)) }
  })
  const points = [...original, ...ours]
  return linePlot({ title, xLabel: 'nodes in the network', yLabel, xScale: 'linear', points })
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

/** Memory of a node, with the least and the most as a bar. */
export function memoryPlot(figures: readonly MemoryFigure[]): string {
  const points = figures.map(({ scenario, residentBytes }): PlotPoint => {
    const [y, low, high] = summary(residentBytes.map(bytes => bytes / MEBIBYTE))
    return { panel: PANEL, series: 'mean, with the least and the most', x: scenario.nodes, y, low, high }
  })
  return linePlot({
    title: 'Memory of an idle node in networks of real processes',
    xLabel: 'nodes in the network',
    yLabel: 'anonymous resident memory (RssAnon) of a node, MiB',
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

function withBar({ mean, margin }: Estimate): Pick<PlotPoint, 'y' | 'low' | 'high'> {
  return { y: mean, low: mean - margin, high: mean + margin }
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
