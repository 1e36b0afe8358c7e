/**
 * What the simulations of gossip come to: which networks are run, and the page of tables and plots.
 */
import { linePlot, type PlotPoint } from '../plots.ts'
import { estimateOf } from './estimate.ts'
import { failPeriodsNeeded, type GossipFigure, type GossipScenario } from './gossip-simulated.ts'

export interface GossipRun {
  /** What is varied: the size, or T_fail under one kind of trouble. */
  readonly series: string
  readonly scenario: GossipScenario
}

export interface GossipResult extends GossipRun {
  readonly figure: GossipFigure
}

/** Repetitions of a network; one of the largest takes as long as all others together. */
const SEEDS = 3
const LARGE = 5_000

/** Values of T_fail in the smallest of the networks, in periods. */
const SWEEP_PERIODS = [4, 6, 9, 13, 18]

const CALM = { loss: 0, stalls: 0, stallPeriods: 1 }

/** Kinds of trouble, as they are called in the tables. */
const TROUBLES: readonly (readonly [string, typeof CALM])[] = [
  ['no trouble', CALM],
  ['10 % of the messages lost', { ...CALM, loss: 0.1 }],
  ['30 % of the messages lost', { ...CALM, loss: 0.3 }],
  ['one stall of up to 5 periods in 50', { ...CALM, stalls: 0.02, stallPeriods: 5 }],
]

const SIZES = 'sizes'

/** The networks of the page, the smallest first. */
export function gossipRuns(sizes: readonly number[]): GossipRun[] {
  const seedsOf = (nodes: number) => Array.from({ length: nodes >= LARGE ? 1 : SEEDS }, (_, i) => i + 1)
  const bySize = [...sizes]
    .sort((a, b) => a - b)
    .flatMap(nodes =>
      seedsOf(nodes).map(seed => ({
        series: SIZES,
        scenario: { ...CALM, nodes, seed, fanOut: 2, failPeriods: failPeriodsNeeded(nodes), calmPeriods: 25 },
      })),
    )
  const smallest = Math.min(...sizes)
  const sweeps = TROUBLES.flatMap(([series, trouble]) =>
    SWEEP_PERIODS.flatMap(failPeriods =>
      seedsOf(smallest).map(seed => ({
        series,
        scenario: { ...trouble, nodes: smallest, seed, fanOut: 2, failPeriods, calmPeriods: 60 },
      })),
    ),
  )
  return [...sweeps, ...bySize]
}

/** The files of the page: README.md and its plots. @param command what makes them again. */
export function gossipPage(
  results: readonly GossipResult[],
  command: string,
): [name: string, text: string][] {
  const sizes = results.filter(({ series }) => series === SIZES)
  const sweeps = results.filter(({ series }) => series !== SIZES)
  const text = [...head(command), ...tablesOf(results), ...foot()].join('\n')
  return [
    ['README.md', `${text}\n`],
    [
      'detection.svg',
      sweepPlot(sweeps, 'Until all survivors know of a crash', 'periods', ({ lastPeriods }) => lastPeriods),
    ],
    [
      'false.svg',
      sweepPlot(
        sweeps,
        'Living nodes suspected',
        'for each node and 1,000 periods',
        ({ suspected }) => suspected,
      ),
    ],
    [
      'bytes.svg',
      sizePlot(sizes, 'Sent by a node in a period', 'bytes', ({ bytesPerPeriod }) => bytesPerPeriod),
    ],
    [
      'rounds.svg',
      sizePlot(sizes, 'Until a pair is at every node', 'rounds', ({ pairRounds }) => pairRounds),
    ],
  ]
}

/** The tables alone, as lines of Markdown. */
export function tablesOf(results: readonly GossipResult[]): string[] {
  const sizes = results.filter(({ series }) => series === SIZES)
  const sweeps = results.filter(({ series }) => series !== SIZES)
  return [...sizeTable(sizes), '', ...sweepTable(sweeps)]
}

function sizeTable(results: readonly GossipResult[]): string[] {
  const rows = grouped(results, ({ scenario }) => scenario.nodes).map(([nodes, some]) => {
    const failPeriods = (some[0] as GossipResult).scenario.failPeriods
    const [first, middle, last] = (['firstPeriods', 'middlePeriods', 'lastPeriods'] as const).map(name =>
      meanOf(some, figure => figure[name]),
    )
    const suspected = meanOf(some, figure => figure.suspected)
    const bytes = Math.round(meanOf(some, figure => figure.bytesPerPeriod))
    const rounds = meanOf(some, figure => figure.pairRounds)
    const cells = [nodes, shown(failPeriods), shown(first), shown(middle), shown(last)]
    return `| ${[...cells, shown(suspected), bytes.toLocaleString('en-US'), shown(rounds)].join(' | ')} |`
  })
  return [
    '| nodes | T_fail | first | middle | all | suspected | bytes | rounds |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ]
}

function sweepTable(results: readonly GossipResult[]): string[] {
  const rows = grouped(results, ({ series }) => series).flatMap(([series, some]) =>
    grouped(some, ({ scenario }) => scenario.failPeriods).map(([failPeriods, same]) => {
      const [last, suspected, failed] = (['lastPeriods', 'suspected', 'failed'] as const).map(name =>
        meanOf(same, figure => figure[name]),
      )
      return `| ${[series, failPeriods, shown(last), shown(suspected), shown(failed)].join(' | ')} |`
    }),
  )
  return [
    '| trouble | T_fail | all know of a crash | living nodes suspected | living nodes failed |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    'Of these 100 nodes the program uses no T_fail below 17.3: in the last row of each trouble nobody that lives is suspected or fails. Below half of that living nodes are suspected, and where T_fail is no longer than a stall some fail.',
    'All these crashes are silent. A process that ends while its machine goes on refuses connections, is suspected at once, and fails at T_fail (decision 0461).',
  ]
}

function sweepPlot(
  results: readonly GossipResult[],
  title: string,
  yLabel: string,
  of: (figure: GossipFigure) => number,
): string {
  const points = grouped(results, ({ series }) => series).flatMap(([series, some]) =>
    grouped(some, ({ scenario }) => scenario.failPeriods).map(([x, same]) => pointOf(series, x, same, of)),
  )
  return linePlot({ title, xLabel: 'T_fail, periods', yLabel, xScale: 'linear', points: drawable(points) })
}

function sizePlot(
  results: readonly GossipResult[],
  title: string,
  yLabel: string,
  of: (figure: GossipFigure) => number,
): string {
  const points = grouped(results, ({ scenario }) => scenario.nodes).map(([x, same]) =>
    pointOf('fan-out 2', x, same, of),
  )
  return linePlot({ title, xLabel: 'nodes', yLabel, xScale: 'log', points: drawable(points) })
}

/** What never happened has no place in a plot. */
function drawable(points: readonly PlotPoint[]): PlotPoint[] {
  return points.filter(({ y }) => Number.isFinite(y))
}

function pointOf(
  series: string,
  x: number,
  results: readonly GossipResult[],
  of: (figure: GossipFigure) => number,
): PlotPoint {
  const { mean, margin } = estimateOf(results.map(({ figure }) => of(figure)))
  return { panel: '', series, x, y: mean, low: Math.max(0, mean - margin), high: mean + margin }
}

function meanOf(results: readonly GossipResult[], of: (figure: GossipFigure) => number): number {
  return estimateOf(results.map(({ figure }) => of(figure))).mean
}

function grouped<Key>(
  results: readonly GossipResult[],
  by: (result: GossipResult) => Key,
): [Key, GossipResult[]][] {
  const groups = new Map<Key, GossipResult[]>()
  for (const result of results) groups.set(by(result), [...(groups.get(by(result)) ?? []), result])
  return [...groups]
}

/** With one decimal; what never happened is a dash. */
function shown(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–'
  return value > 0 && value < 0.05 ? value.toFixed(3) : value.toFixed(1)
}

function head(command: string): string[] {
  return [
    '# Gossip, measured',
    '',
    `This page and its plots are written by \`${command}\`. The rules of \`src/membership/gossip\` run in simulated networks; times are in periods (1 s by default),`,
    'counted from the crash of one node. Nodes tick one after the other in a random order, messages take no time, and every doubt is probed as in the program.',
    `Means of ${SEEDS} seeds; of one for networks of ${LARGE.toLocaleString('en-US')} nodes and more.`,
    '',
    '- *T_fail*: 2 (log2 N + 2) periods in the first table, the shortest that the program uses.',
    '- *first*, *middle*, *all*: until the first, the middle and the last survivor believe that the node has failed. Twice T_fail is the promise.',
    '- *suspected*, *failed*: living nodes that somebody came to suspect, or to believe failed, for each node and 1,000 periods.',
    '- *bytes*: what a node sends in a period in all, its messages and its answers, before HTTP. *rounds*: until a pair that one node was told is at every node.',
    '',
  ]
}

function foot(): string[] {
  return [
    '',
    '![Until all know of a crash](detection.svg)',
    '![Living nodes suspected](false.svg)',
    '![Bytes of a node in a period](bytes.svg)',
    '![Rounds until a pair is everywhere](rounds.svg)',
    '',
    '## Beside what is published',
    '',
    'None of these figures was measured on the same machines as those above; periods of both are 1 s by default.',
    '',
    '| | SWIM [1] | Lifeguard [2], as memberlist [3] sets it | here |',
    '| --- | --- | --- | --- |',
    '| who is tried | one member in each period, drawn at random or in turn | the same | only a member that was silent for T_fail |',
    '| first doubt after a crash | e / (e - 1) = 1.6 periods on the average; at most 2 N - 1 with targets in turn (3.1, 4.3) | the same, up to 9 times later at a node that is slow itself | T_fail, up to 9 times later at a node that is slow itself |',
    '| from doubt to failed | a wait that is set before (4.2) | 4 log10 N periods with three confirmations, 6 times that with none: 8 to 48 for 100 nodes, 16 to 96 for 10,000 | T_fail / 4 with four observers, 3 T_fail / 4 with one, which is not enough: 4.3 to 13 for 100 nodes, 7.7 to 23 for 10,000 |',
    '| until everybody knows | O(log N) periods; an update is told 3 log(N + 1) times (4.1) | the same | O(log N) periods, as *all* above |',
    '| what a node sends | constant in N (3.1) | constant in N | constant in N from 33 nodes on, as *bytes* above |',
    '| living nodes that fail where members are slow | the measure that Lifeguard is held against | more than 50 times fewer than SWIM | 0 in all rows but those where T_fail is shorter than a stall, or hardly longer |',
    '',
    'A heartbeat costs a wait of T_fail that a probe in each period does not, and saves the probes: a node tells two others in a period whatever it believes. So SWIM doubts sooner, and what is there in the end, a member',
    'that has failed for all, takes about twice as long as with the defaults of memberlist: for 100 nodes 1.6 + 8 periods and the spreading there, 25 here; for 10,000 nodes 1.6 + 16 and the spreading there, 43 here.',
    '',
    '1. Das, Gupta & Motivala, *SWIM: Scalable Weakly-consistent Infection-style Process Group Membership Protocol*, DSN 2002; sections in brackets.',
    '2. Dadgar, Phillips & Currey, *Lifeguard*, [arXiv:1707.00788](https://arxiv.org/abs/1707.00788), sections IV.A and IV.B; the factor of 50 is from the abstract of its first version.',
    '3. [memberlist](https://github.com/hashicorp/memberlist): `DefaultLANConfig` (ProbeInterval 1 s, SuspicionMult 4, SuspicionMaxTimeoutMult 6, AwarenessMaxMultiplier 8); the periods follow from its formula.',
  ]
}
