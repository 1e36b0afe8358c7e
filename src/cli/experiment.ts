/**
 * `altered-chord experiment`: measurements that anybody can repeat. The only command that uses the laboratory,
 * which is loaded when it is needed.
 */
import type { Command } from 'commander'
import type { LookupFigure, LookupScenario } from '../lab/experiments/lookup-simulated.ts'
import { addGossipExperiment } from './experiment-gossip.ts'
import { addModelsExperiments } from './experiment-models.ts'
import { addMemoryCommand, experimentRealLookup } from './experiment-real.ts'
import { addRoutingExperiment } from './experiment-routing.ts'
import { integer, integers, startBar, writeFiles } from './experiment-terms.ts'
import { print, type Session, usageError } from './session.ts'

interface LookupOptions {
  readonly simulated?: boolean
  readonly nodes?: readonly number[]
  readonly runs: number
  readonly seeds: number
  readonly lookups: number
  readonly lifetime?: readonly number[]
  readonly learn: 'chain' | 'path' | 'both'
  readonly virtualNodes: number
  readonly replicas: number
  readonly answering: number
  readonly jobs: number
  readonly growth?: boolean
  readonly output?: string
}

/** When a network is looked at, in lookups that each node has started. */
const MOMENTS = [1, 3, 10, 50, 100]

/** The sizes that the original system was measured at. */
const GROWTH_NODES = [5, 10, 15, 20, 25, 30, 35]

const SIMULATED_NODES = [35, 1000]

/** A network without churn, and one whose nodes crash after ten minutes on average. */
const LIFETIMES_S = [0, 600]

/** A simulated network keeps four bytes and more for each pair of its nodes. */
const NODES_MAX = 20_000

export function addExperimentCommand(program: Command, session: Session): void {
  const command = program
    .command('experiment')
    .summary('measure lookups, memory, gossip, routing and the models of consistency')
    .description(
      'Measurements that you can repeat, with real processes or simulated; the same seeds give the same figures.',
    )
  addLookupCommand(command, session)
  addMemoryCommand(command, session)
  addGossipExperiment(command, session)
  addModelsExperiments(command, session)
  addRoutingExperiment(command, session)
}

function addLookupCommand(experiment: Command, session: Session): void {
  const command = experiment.command('lookup')
  command
    .description(
      'Requests that a lookup takes and nodes that the maps know. Starts real processes on this machine, in networks of 5\n' +
        'to 35 nodes, measures right after their start and warm, and ends them. With --simulated: hops, staleness of the\n' +
        'maps and bytes that messages carry to teach, in networks of any size that are simulated in this process.',
    )
    .option('--simulated', 'in networks simulated in this process instead of real ones')
    .option(
      '--nodes <counts>',
      `sizes of the networks, separated by commas (default ${GROWTH_NODES}; simulated ${SIMULATED_NODES})`,
      integers(2, NODES_MAX),
    )
    .option('--runs <count>', 'real networks of each size, for the confidence intervals', integer(1, 100), 3)
    .option(
      '--seeds <count>',
      'simulated runs of each network, for the confidence intervals',
      integer(1, 1000),
      10,
    )
    .option(
      '--lookups <count>',
      'lookups at each moment, all nodes together; simulated: that each node starts in all, one a second',
      integer(1, 10_000),
      100,
    )
    .option(
      '--lifetime <seconds>',
      `simulated: mean lifetimes of a node, separated by commas; 0 means that nobody crashes (default ${LIFETIMES_S})`,
      integers(0, 1e9),
    )
  addNetworkOptions(command).action((options: LookupOptions, lookup: Command) => {
    refuseOthers(lookup, options.simulated ? REAL_ONLY : SIMULATED_ONLY, options.simulated === true)
    return options.simulated
      ? experimentLookup(session, options)
      : experimentRealLookup(session, { ...options, nodes: options.nodes ?? GROWTH_NODES })
  })
}

function addNetworkOptions(command: Command): Command {
  return command
    .option('--learn <mode>', 'what teaches: chain, path or both', 'both')
    .option('--virtual-nodes <count>', 'identifiers of a node', integer(1, 64), 1)
    .option('--replicas <count>', 'nodes that share a range and know each other', integer(1, 15), 3)
    .option(
      '--answering <count>',
      'simulated: replicas that may answer for a key; 1 is the owner alone',
      integer(1, 16),
      1,
    )
    .option('--jobs <count>', 'simulated: threads; the figures do not depend on it', integer(1, 64), 2)
    .option(
      '--growth',
      'simulated: networks of 5 to 35 nodes right after their start, beside the original system',
    )
    .option('-o, --output <folder>', 'also writes CSV and SVG files there')
    .addHelpText(
      'after',
      `
Examples:
  altered-chord experiment lookup --output figures
  altered-chord experiment lookup --nodes 5,10 --runs 1 --learn path
  altered-chord experiment lookup --simulated --nodes 1000
  altered-chord experiment lookup --simulated --nodes 35,1000 --lifetime 0 --output figures
  altered-chord experiment lookup --simulated --growth`,
    )
}

/** Options that mean nothing for the other kind of network. */
const SIMULATED_ONLY = ['seeds', 'lifetime', 'answering', 'jobs', 'growth']
const REAL_ONLY = ['runs']

function refuseOthers(command: Command, names: readonly string[], simulated: boolean): void {
  const given = names.find(name => command.getOptionValueSource(name) === 'cli')
  if (given === undefined) return
  throw usageError(`--${given} is for ${simulated ? 'real' : 'simulated'} networks.`)
}

async function experimentLookup(session: Session, options: LookupOptions): Promise<void> {
  const modes = modesOf(options.learn)
  const scenarios = options.growth ? growthScenarios(options, modes) : lookupScenarios(options, modes)
  const { lookupsPerSeed } = await import('../lab/experiments/lookup-simulated.ts')
  const { measureLookups } = await import('../lab/experiments/lookup-pool.ts')
  const report = await import('../lab/experiments/lookup-report.ts')
  const seeds = Array.from({ length: options.seeds }, (_, index) => index + 1)
  const total = scenarios.reduce((sum, scenario) => sum + seeds.length * lookupsPerSeed(scenario), 0)
  const progress = startBar(session, total, 'lookups')
  const { jobs } = options
  const { signal } = session
  const onLookups = (count: number) => progress.advance(count)
  const run = measureLookups({ scenarios, seeds, jobs, signal, onLookups })
  const figures = await run.finally(() => progress.stop())
  for (const line of report.tableOf(figures)) await print(session, line)
  if (options.output !== undefined) await writeFigures(session, options, figures, report)
}

async function writeFigures(
  session: Session,
  options: LookupOptions,
  figures: readonly LookupFigure[],
  report: typeof import('../lab/experiments/lookup-report.ts'),
): Promise<void> {
  const files: [string, string][] = []
  if (options.growth) {
    files.push(['growth.csv', report.csvOf(figures)], ['growth.svg', report.growthPlot(figures)])
  } else {
    files.push(['lookup.csv', report.csvOf(figures)])
    for (const nodes of options.nodes ?? SIMULATED_NODES) {
      const sized = figures.filter(({ scenario }) => scenario.nodes === nodes)
      files.push(
        [`hops-${nodes}.svg`, report.hopsPlot(sized)],
        [`bytes-${nodes}.svg`, report.bytesPlot(sized)],
      )
    }
  }
  await writeFiles(session, options.output as string, files)
}

/** The chain alone, and the chain with records, without and with maps that are exchanged when a node joins. */
const TEACHING = {
  chain: [{ mode: 'chain', wholeMap: false }],
  path: [
    { mode: 'path', wholeMap: false },
    { mode: 'path', wholeMap: true },
  ],
} as const

type Teaching = Pick<LookupScenario, 'mode' | 'wholeMap'>

function modesOf(learn: string): readonly Teaching[] {
  if (learn === 'both') return [...TEACHING.chain, ...TEACHING.path]
  if (learn === 'chain' || learn === 'path') return TEACHING[learn]
  throw usageError(`--learn is chain, path or both, not ${learn}`)
}

function lookupScenarios(options: LookupOptions, modes: readonly Teaching[]): LookupScenario[] {
  const { virtualNodes, replicas, answering, lifetime = LIFETIMES_S } = options
  const moments = MOMENTS.filter(moment => moment <= options.lookups)
  const lifetimes = lifetime.map(seconds => (seconds === 0 ? undefined : seconds))
  return (options.nodes ?? SIMULATED_NODES).flatMap(nodes =>
    lifetimes.flatMap(lifetimeSeconds =>
      modes.map(teaching => ({
        nodes,
        virtualNodes,
        replicas,
        answering,
        lifetimeSeconds,
        moments,
        ...teaching,
      })),
    ),
  )
}

function growthScenarios(options: LookupOptions, modes: readonly Teaching[]): LookupScenario[] {
  const { virtualNodes, replicas, answering } = options
  // The first lookup of each node: from its start to one and a half lookups, around one half.
  const moments = [0.5]
  return GROWTH_NODES.flatMap(nodes =>
    modes.map(teaching => ({
      nodes,
      virtualNodes,
      replicas,
      answering,
      lifetimeSeconds: undefined,
      moments,
      ...teaching,
    })),
  )
}
