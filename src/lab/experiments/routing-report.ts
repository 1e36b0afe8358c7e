/**
 * What the comparison of ways of routing comes to: which networks are run, and the page of tables and plots.
 */
import { linePlot, type PlotPoint } from '../plots.ts'
import { estimateOf } from './estimate.ts'
import { failPeriodsNeeded, type GossipScenario, type MassCrashFigure } from './gossip-simulated.ts'
import { type RoutingFigure, type RoutingScenario, SYSTEMS } from './routing-compared.ts'

export interface RoutingResult {
  readonly scenario: RoutingScenario
  readonly figure: RoutingFigure
}

/** Mean lifetime of a node where nodes come and go, seconds. */
const LIFETIME_S = 600

/** Repetitions of a network; one of so many nodes is run once. */
const SEEDS = 3
const ONCE = 1_000

/** From this size on a network is measured sooner, and without Kelips: its nodes look through a map of all nodes in each round here. */
const LARGE = 5_000

const WARM_S = 50
const WARM_LARGE_S = 20
const MEASURED_S = 10

/** The published experiment: so many nodes in so many groups, a round in so many seconds. */
const GROUPS = 30
const PUBLISHED_NODES = 1_000
const ROUND_S = 2

/** The networks of the page, the smallest first. */
export function routingScenarios(sizes: readonly number[]): RoutingScenario[] {
  const seedsOf = (nodes: number) => Array.from({ length: nodes >= ONCE ? 1 : SEEDS }, (_, i) => i + 1)
  return [...sizes]
    .sort((a, b) => a - b)
    .flatMap(nodes =>
      [undefined, LIFETIME_S].flatMap(lifetimeSeconds =>
        SYSTEMS.filter(system => nodes < LARGE || system !== 'Kelips').flatMap(system =>
          seedsOf(nodes).map(seed => ({
            ...{ system, nodes, seed, lifetimeSeconds, measuredSeconds: MEASURED_S },
            warmSeconds: nodes >= LARGE ? WARM_LARGE_S : WARM_S,
          })),
        ),
      ),
    )
}

/** Kelips' own experiment, by the gossip of this program. */
export function massCrashScenario(nodes = PUBLISHED_NODES): GossipScenario {
  return {
    ...{ nodes, seed: 1, groups: Math.min(GROUPS, Math.floor(nodes / 3)), fanOut: 2, calmPeriods: 10 },
    ...{ failPeriods: failPeriodsNeeded(nodes), loss: 0, stalls: 0, stallPeriods: 1 },
  }
}

const COLUMNS: readonly (readonly [title: string, text: (figure: RoutingFigure) => string])[] = [
  ['hops', ({ hops }) => hops.toFixed(2)],
  ['found', ({ success }) => `${(100 * success).toFixed(1)} %`],
  ['time-outs', ({ timeouts }) => (timeouts === 0 ? '0' : timeouts.toFixed(3))],
  ['remembered', ({ remembered }) => rounded(remembered)],
  ['gone', ({ stale }) => `${(100 * stale).toFixed(1)} %`],
  ['carried, B/s', ({ carriedBytes }) => rounded(carriedBytes)],
  ['background, B/s', ({ backgroundBytes }) => rounded(backgroundBytes)],
]

/** The table of all networks, as lines of Markdown. */
export function tableOf(results: readonly RoutingResult[]): string[] {
  const rows = grouped(results).map(([{ nodes, lifetimeSeconds, system }, figures]) => {
    const figure = meanOf(figures)
    const churn = lifetimeSeconds === undefined ? 'none' : `${lifetimeSeconds} s`
    const cells = [nodes.toLocaleString('en-US'), churn, system, ...COLUMNS.map(([, text]) => text(figure))]
    return `| ${cells.join(' | ')} |`
  })
  const titles = ['nodes', 'lifetime', 'routing', ...COLUMNS.map(([title]) => title)]
  const rule = titles.map((_, index) => (index === 1 || index === 2 ? '---' : '---:'))
  return [`| ${titles.join(' | ')} |`, `| ${rule.join(' | ')} |`, ...rows]
}

/** The table of the crash of one half. */
export function massCrashTable({ nodes, groups = 1 }: GossipScenario, figure: MassCrashFigure): string[] {
  const seconds = (periods: number) => (Number.isFinite(periods) ? `${ROUND_S * periods} s` : 'never')
  const { halfPeriods, nearlyAllPeriods, allPeriods, livingFailed } = figure
  return [
    '| nodes | groups | half known | 99 % known | all known | living nodes believed to have failed |',
    '| ---: | ---: | ---: | ---: | ---: | ---: |',
    `| ${[nodes.toLocaleString('en-US'), groups, ...[halfPeriods, nearlyAllPeriods, allPeriods].map(seconds), livingFailed].join(' | ')} |`,
  ]
}

/** The folder of the plots, beside the page. */
const PLOTS = 'routing-compared'

/** The files of the page: it and its plots. @param command what makes them again. */
export function routingPage(
  results: readonly RoutingResult[],
  crash: { readonly scenario: GossipScenario; readonly figure: MassCrashFigure },
  command: string,
): [name: string, text: string][] {
  const plot = (title: string, yLabel: string, of: (figure: RoutingFigure) => number) =>
    linePlot({ title, xLabel: 'nodes', yLabel, xScale: 'log', points: pointsOf(results, of) })
  const shares = crash.figure.knownShare.map((share, index): PlotPoint => {
    const y = 100 * share
    return { panel: '', series: 'pairs', x: ROUND_S * (index + 1), y, low: y, high: y }
  })
  const ticks = shares.filter((_, index) => index % 5 === 4 || index === shares.length - 1)
  return [
    [
      'routing-compared.md',
      `${[...head(command), ...tableOf(results), ...middle(), ...massCrashTable(crash.scenario, crash.figure), ...foot()].join('\n')}\n`,
    ],
    [`${PLOTS}/hops.svg`, plot('Hops of a lookup', 'hops', ({ hops }) => hops)],
    [`${PLOTS}/remembered.svg`, plot('Nodes that a node remembers', 'nodes', ({ remembered }) => remembered)],
    [
      `${PLOTS}/bytes.svg`,
      plot('Carried and in the background', 'bytes of a node in a second', figure => {
        return figure.carriedBytes + figure.backgroundBytes
      }),
    ],
    [
      `${PLOTS}/half.svg`,
      linePlot({
        ...{ title: 'Half of the nodes crash', xLabel: 'seconds', xScale: 'linear', points: ticks },
        yLabel: '% of those in the own group that are gone, known',
      }),
    ],
  ]
}

function pointsOf(results: readonly RoutingResult[], of: (figure: RoutingFigure) => number): PlotPoint[] {
  return grouped(results).map(([{ nodes, system, lifetimeSeconds }, figures]) => {
    const { mean, margin } = estimateOf(figures.map(of))
    const panel = lifetimeSeconds === undefined ? 'no churn' : `lifetimes of ${lifetimeSeconds} s`
    const half = Number.isFinite(margin) ? margin : 0
    return { panel, series: system, x: nodes, y: mean, low: Math.max(0, mean - half), high: mean + half }
  })
}

/** The figures of all seeds of each network. */
function grouped(results: readonly RoutingResult[]): [RoutingScenario, RoutingFigure[]][] {
  const groups = new Map<string, [RoutingScenario, RoutingFigure[]]>()
  for (const { scenario, figure } of results) {
    const { nodes, lifetimeSeconds, system } = scenario
    const key = `${nodes} ${lifetimeSeconds} ${system}`
    const group = groups.get(key) ?? [scenario, []]
    group[1].push(figure)
    groups.set(key, group)
  }
  return [...groups.values()]
}

function meanOf(figures: readonly RoutingFigure[]): RoutingFigure {
  const mean = (name: keyof RoutingFigure) => estimateOf(figures.map(figure => figure[name])).mean
  return {
    ...{ hops: mean('hops'), success: mean('success'), timeouts: mean('timeouts') },
    ...{ remembered: mean('remembered'), stale: mean('stale') },
    ...{ carriedBytes: mean('carriedBytes'), backgroundBytes: mean('backgroundBytes') },
  }
}

function rounded(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function head(command: string): string[] {
  return [
    '# Ways of routing, compared',
    '',
    `This page and its plots are written by \`${command}\`. Everything is simulated; the same seeds give the same figures.`,
    '',
    '- *path learning* is what nodes do unless they are told otherwise: `src/routing` itself runs, and a node that joins exchanges maps with those that it has to talk to.',
    '- *Kelips* is `src/routing/kelips` (`--routing kelips`): each node knows its group, those near it and three contacts in each other group, and a round of gossip each second carries what rides on messages. A lookup ends at a contact in the group of its key, which says who keeps it.',
    '  That a contact knows the views of its group is modelled by the nodes that it knows there; heartbeats are not simulated here, their bytes are in [gossip](experiments/gossip/README.md), nor are the views that gossip carries.',
    `- *Chord* is modelled after Stoica et al. (SIGCOMM 2001), sections 4.3 to 5.2, and stands for what is usual: fingers, a list of 2 log2 N successors, and a round of stabilization each 30 s that renews every finger. It begins as a perfect ring. The program has nothing of it.`,
    '',
    `A node has one identifier, and only the owner of a key answers. Each node starts one lookup of a random key a second, on average. Where nodes have a lifetime, crashes come at equal distances, and a new node joins for each. Measured are ${MEASURED_S} s after ${WARM_S} s`,
    `(${WARM_LARGE_S} s from ${LARGE.toLocaleString('en-US')} nodes on); means of ${SEEDS} seeds, of one from ${ONCE.toLocaleString('en-US')} nodes on.`,
    'A message takes no time. One to a node that is gone is a time-out, and the asker tries the next node. With path learning the views of a range decide who answers, and a crash is taken to be repaired once a lookup has met it; Chord has no views, so a lookup can end at a node that is not the owner any more. With Kelips a contact can name the wrong nodes: in the program these refuse and say what is newer, which is one more hop; here the lookup counts as not found.',
    '',
    '- *hops*: messages from node to node of a lookup that finds the owner, time-outs among them. *found*: lookups that do.',
    '- *time-outs*: for each lookup. *remembered*: nodes that a node keeps a record of, about 60 bytes each; *gone*: those of them that are.',
    '- *carried*: bytes of a node in a second that ride on lookups to teach. *background*: bytes that no lookup of a client needs: stabilization, what a join brings about, and with Kelips the records and digests on gossip.',
    '',
  ]
}

function middle(): string[] {
  return [
    '',
    `![Hops of a lookup](${PLOTS}/hops.svg)`,
    `![Nodes that a node remembers](${PLOTS}/remembered.svg)`,
    `![Bytes of a node in a second](${PLOTS}/bytes.svg)`,
    '',
    'Path learning sends nothing when nobody asks for anything and nobody comes or goes. It pays with memory, and with bytes on lookups until everybody knows everybody. Kelips comes close to one hop with the memory of a part of the network, and pays with a traffic in the background that hardly grows with it. Chord remembers least, and takes half of log2 N hops.',
    '',
    'At 10,000 nodes, without Kelips: [lookup](experiments/lookup.md#beside-chord-at-10000-nodes). In each round of the simulation a node of Kelips looks through a map of all nodes: 250 nodes took 4 s of processor time, 500 took 7 s and 1,000 took 23 s.',
    '',
    '## When one half crashes',
    '',
    `The authors of Kelips (Gupta, Birman, Linga, Demers & van Renesse, IPTPS 2003) crash half of ${PUBLISHED_NODES.toLocaleString('en-US')} nodes in ${GROUPS} groups at once; with a round of gossip each ${ROUND_S} s their views settle in about 80 s. Here the same is done to the gossip of this program (\`src/membership/gossip\`):`,
    'a node watches those beside it in its group, and knows three contacts in each other group. T_fail is the shortest that the program uses for so many nodes. Counted are pairs of a survivor and a node that it watches and that is gone: how many survivors believe it.',
    '',
  ]
}

function foot(): string[] {
  return ['', `![Until the survivors know](${PLOTS}/half.svg)`]
}
