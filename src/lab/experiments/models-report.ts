/**
 * How the figures of the two models of consistency are shown: lines of a CSV, of which a later run may add more; tables, plots, and a page of all of them.
 */
import { linePlot, type PlotPoint } from '../plots.ts'
import type { ModelFigure } from './models-real.ts'
import { ROUNDS } from './models-real.ts'
import { EXPERIMENTS, type ModelExperiment } from './models-requests.ts'

/** What of a line names the measurement; one with the same takes its place. */
const NAMES = ['experiment', 'consistency', 'replicas', 'clients'] as const

/** What has to be alike in all lines of one page. */
const TERMS = ['nodes', 'requests', 'seed', 'machine'] as const

const FIGURES = [
  'per_second',
  'per_second_ci95',
  'insert_p50_ms',
  'insert_p99_ms',
  'query_p50_ms',
  'query_p99_ms',
  'failed',
  'queries_compared',
  'stale',
  'stale_ms_max',
  'passed_on_ms',
  'day',
] as const

const COLUMNS = [...NAMES, ...TERMS, ...FIGURES]

type Column = (typeof COLUMNS)[number]

/** One line of the CSV: what one experiment came to in one network with so many clients. */
export type ModelLine = Readonly<Record<Column, string>>

/** The file of figures in a folder of results. */
export const FIGURES_FILE = 'figures.csv'

export interface LineTerms {
  readonly seed: number
  /** What it was measured on, without commas. */
  readonly machine: string
  /** YYYY-MM-DD. */
  readonly day: string
}

export function lineOf(figure: ModelFigure, { seed, machine, day }: LineTerms): ModelLine {
  const { network, clients, requests, perSecond, insert, query, stale } = figure
  const values: Record<Column, string | number | undefined> = {
    ...{ experiment: figure.experiment, consistency: network.consistency },
    ...{ replicas: network.replicas, clients, nodes: network.nodes, requests, seed, machine, day },
    per_second: rounded(perSecond.mean),
    per_second_ci95: Number.isNaN(perSecond.margin) ? undefined : rounded(perSecond.margin),
    insert_p50_ms: insert && rounded(insert.p50Ms),
    insert_p99_ms: insert && rounded(insert.p99Ms),
    query_p50_ms: query && rounded(query.p50Ms),
    query_p99_ms: query && rounded(query.p99Ms),
    failed: figure.failed,
    queries_compared: stale?.queries,
    stale: stale?.stale,
    stale_ms_max: stale && rounded(stale.oldestMs),
    passed_on_ms: rounded(figure.passedOnMs),
  }
  return Object.fromEntries(COLUMNS.map(name => [name, String(values[name] ?? '')])) as Record<Column, string>
}

export function csvOf(lines: readonly ModelLine[]): string {
  const rows = [COLUMNS, ...lines.map(line => COLUMNS.map(name => line[name]))]
  return `${rows.map(row => row.join(',')).join('\n')}\n`
}

/** Undefined when the text is no such CSV. */
export function linesIn(csv: string): ModelLine[] | undefined {
  const [head, ...rows] = csv.trimEnd().split('\n')
  if (head !== COLUMNS.join(',')) return undefined
  return rows.map(row => {
    const cells = row.split(',')
    return Object.fromEntries(COLUMNS.map((name, at) => [name, cells[at] ?? ''])) as Record<Column, string>
  })
}

/** All lines, of two for the same measurement the later one; in the order of the page. Undefined when they can't stand beside each other. */
export function joined(before: readonly ModelLine[], after: readonly ModelLine[]): ModelLine[] | undefined {
  const nameOf = (line: ModelLine) => NAMES.map(name => line[name]).join(' ')
  const all = new Map([...before, ...after].map(line => [nameOf(line), line]))
  const lines = [...all.values()].sort(inOrder)
  const terms = new Set(lines.map(line => TERMS.map(name => line[name]).join(' ')))
  return terms.size > 1 ? undefined : lines
}

function inOrder(a: ModelLine, b: ModelLine): number {
  const order = ({ experiment, consistency, replicas, clients }: ModelLine) => [
    EXPERIMENTS.indexOf(experiment as ModelExperiment),
    Number(clients),
    consistency === 'chain' ? 0 : 1,
    Number(replicas),
  ]
  const [one, other] = [order(a), order(b)]
  return one.map((value, at) => value - (other[at] as number)).find(by => by !== 0) ?? 0
}

/** As lines of Markdown. */
export function tableOf(lines: readonly ModelLine[]): string[] {
  const hasKind = (kind: 'insert' | 'query') => lines.some(line => line[`${kind}_p50_ms`] !== '')
  const hasStale = lines.some(({ stale }) => stale !== '')
  const columns: (readonly [string, (line: ModelLine) => string])[] = [
    ['clients', line => line.clients],
    ['model', line => line.consistency],
    ['k', line => line.replicas],
    ['a second', line => `${line.per_second}${line.per_second_ci95 && ` ± ${line.per_second_ci95}`}`],
  ]
  for (const kind of ['insert', 'query'] as const)
    if (hasKind(kind))
      columns.push(
        [`${kind}, p50 ms`, line => line[`${kind}_p50_ms`]],
        [`p99`, line => line[`${kind}_p99_ms`]],
      )
  if (hasStale)
    columns.push(
      ['stale', line => `${line.stale} of ${line.queries_compared}`],
      ['oldest, ms', line => line.stale_ms_max],
    )
  columns.push(['passed on after, ms', line => line.passed_on_ms], ['failed', line => line.failed])
  return [
    columns.map(([name]) => name),
    columns.map(([name]) => (name === 'model' ? '---' : '---:')),
    ...lines.map(line => columns.map(([, cell]) => cell(line))),
  ].map(cells => `| ${cells.join(' | ')} |`)
}

/** The files of a folder of results: the page, its plots, and the figures. @param command what makes them again. */
export function modelsPage(lines: readonly ModelLine[], command: string): [name: string, text: string][] {
  const parts = EXPERIMENTS.map(
    experiment => [experiment, lines.filter(line => line.experiment === experiment)] as const,
  ).filter(([, some]) => some.length > 0)
  const plots = parts.flatMap(([experiment, some]) => plotsOf(experiment, some))
  const text = [
    ...headOf(lines, command),
    ...parts.flatMap(([experiment, some]) => [
      ...['', `## ${TITLES[experiment]}`, '', ...TEXTS[experiment], '', ...tableOf(some), ''],
      ...plots.filter(([name]) => name.startsWith(experiment)).map(([name, title]) => `![${title}](${name})`),
    ]),
    ...foundIn(lines),
  ].join('\n')
  return [
    ['README.md', `${text}\n`],
    [FIGURES_FILE, csvOf(lines)],
    ...plots.map(([name, , svg]): [string, string] => [name, svg]),
  ]
}

const TITLES: Record<ModelExperiment, string> = {
  insert: 'Inserts',
  query: 'Queries',
  consistency: 'Inserts and queries of the same keys',
}

const TEXTS: Record<ModelExperiment, readonly string[]> = {
  insert: ['Each request inserts a pair under a key of its own.'],
  query: ['Each request queries one of the keys, which all replicas have by then.'],
  consistency: [
    'Half of the requests insert, half query, all of them 20 keys. The values of a key are numbered, and inserted one after the other, so that a query tells what it has',
    'seen. It is *stale* when it gives less than what had been acknowledged before it was sent. *oldest*: how long before the query that had been acknowledged, at the most.',
  ],
}

function plotsOf(
  experiment: ModelExperiment,
  lines: readonly ModelLine[],
): (readonly [name: string, title: string, svg: string])[] {
  const plot = (name: string, title: string, yLabel: string, points: readonly PlotPoint[]) => {
    const svg = linePlot({ title, xLabel: 'copies of each pair (k)', yLabel, xScale: 'linear', points })
    return [`${experiment}-${name}.svg`, title, svg] as const
  }
  const times = (['insert', 'query'] as const).flatMap(kind => {
    const points = lines
      .filter(line => line[`${kind}_p50_ms`] !== '')
      .flatMap(line => latencyPoints(line, kind))
    const title = kind === 'insert' ? 'Time of an insert' : 'Time of a query'
    return points.length === 0 ? [] : [plot(`${kind}-latency`, title, 'ms', points)]
  })
  const stale = lines
    .filter(({ queries_compared }) => Number(queries_compared) > 0)
    .map(line => pointOf(line, line.consistency, (100 * Number(line.stale)) / Number(line.queries_compared)))
  return [
    plot('throughput', `${TITLES[experiment]}: throughput`, 'requests a second', lines.map(throughputPoint)),
    ...times,
    ...(stale.length === 0 ? [] : [plot('stale', 'Stale queries', '% of the queries', stale)]),
  ]
}

function throughputPoint(line: ModelLine): PlotPoint {
  const margin = Number(line.per_second_ci95)
  const mean = Number(line.per_second)
  return {
    ...pointOf(line, line.consistency, mean),
    low: Math.max(0, mean - margin),
    high: mean + margin,
  }
}

function latencyPoints(line: ModelLine, kind: 'insert' | 'query'): PlotPoint[] {
  return (['p50', 'p99'] as const).map(share =>
    pointOf(line, `${line.consistency}, ${share}`, Number(line[`${kind}_${share}_ms`])),
  )
}

function pointOf({ clients, replicas }: ModelLine, series: string, y: number): PlotPoint {
  const panel = clients === '1' ? 'one client' : `${clients} clients`
  return { panel, series, x: Number(replicas), y, low: y, high: y }
}

function headOf(lines: readonly ModelLine[], command: string): string[] {
  const [first] = lines
  const days = [...new Set(lines.map(({ day }) => day))].sort()
  return [
    '# The two models of consistency, measured',
    '',
    `This page, its plots and [${FIGURES_FILE}](${FIGURES_FILE}) are written by \`${command}\`. A run with fewer networks renews their figures and keeps the others, so that`,
    'it can be made in pieces.',
    '',
    `Real processes on one machine, ${first?.nodes} nodes with their data on its disk, all of them on ${first?.machine}; ${days.join(', ')}. Each experiment makes`,
    `${first?.requests} requests, drawn from the seed ${first?.seed}, at nodes drawn for each request; *clients* of them are under way at once. Before that every node does 20 inserts and queries that do`,
    `not count. ± is half of the 95 % confidence interval (Student's t) over ${ROUNDS} parts of the run. *passed on*: from the last answer until all replicas have all writes.`,
  ]
}

/** What the figures say, where they are enough for that. */
function foundIn(lines: readonly ModelLine[]): string[] {
  const found = (['chain', 'eventual'] as const).flatMap(consistency =>
    [...new Set(lines.map(({ clients }) => clients))].flatMap(clients => {
      const some = lines.filter(
        line => line.experiment === 'insert' && line.consistency === consistency && line.clients === clients,
      )
      const [least, most] = [some[0], some.at(-1)]
      if (least === undefined || most === undefined || least === most) return []
      const times = (Number(most.insert_p50_ms) / Number(least.insert_p50_ms)).toFixed(1)
      const rate = (Number(most.per_second) / Number(least.per_second)).toFixed(2)
      const many = clients === '1' ? 'one client' : `${clients} clients`
      return [
        `- Inserts, ${consistency}, ${many}, from k = ${least.replicas} to ${most.replicas}: the median time times ${times}, the throughput times ${rate}.`,
      ]
    }),
  )
  const stale = (['chain', 'eventual'] as const).flatMap(consistency => {
    const some = lines.filter(line => line.consistency === consistency && line.stale !== '')
    if (some.length === 0) return []
    const [all, old] = (['queries_compared', 'stale'] as const).map(name =>
      some.reduce((sum, line) => sum + Number(line[name]), 0),
    )
    return [`- Stale queries, ${consistency}: ${old} of ${all}.`]
  })
  const all = [...found, ...stale]
  return all.length === 0 ? [] : ['', '## What comes of it', '', ...all, '', ...WHY]
}

const WHY = [
  'A chain answers when k disks have the write, one after the other, so an insert takes longer with each copy. With eventual consistency it answers after one, and the others follow.',
  'That they cost something here all the same is the one machine: all copies are written by the same processors and the same disk, while the next request is under way already. The more',
  'clients there are, the more of that is in the figures of both models; *one client* is nearest to nodes with machines of their own. *Passed on* says that the copies keep up: it does not',
  'grow with the requests.',
  '',
  'A query is answered by one node in both models; in a chain it also asks most of the 2k - 1 nodes that decide about the range whether its view still stands. Stale queries are those that',
  'asked a replica before the write had come to it, some milliseconds after it was acknowledged elsewhere. In a chain there are none, by its promise; a single one would be a defect.',
]

function rounded(value: number): string {
  return value.toFixed(1)
}
