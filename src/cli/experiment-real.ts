/**
 * The experiments with real processes on the command line: `altered-chord experiment lookup` without --simulated, and
 * `experiment memory`.
 */
import type { Command } from 'commander'
import { integer, integers, startBar, writeFiles } from './experiment-terms.ts'
import { note, print, type Session, usageError } from './session.ts'

/** Each node is a process of some 100 MiB. */
const REAL_NODES_MAX = 200

export interface RealLookupOptions {
  readonly nodes: readonly number[]
  readonly runs: number
  readonly lookups: number
  readonly learn: string
  readonly virtualNodes: number
  readonly replicas: number
  readonly output?: string
}

/** Starts networks one after the other, measures, and ends them, also when it is interrupted. */
export async function experimentRealLookup(session: Session, options: RealLookupOptions): Promise<void> {
  refuseSizes(options.nodes)
  const { runs, lookups, virtualNodes, replicas } = options
  const { measureRealLookups, stepsOf } = await import('../lab/experiments/lookup-real.ts')
  const report = await import('../lab/experiments/real-report.ts')
  const scenarios = modesOf(options.learn).flatMap(learn =>
    options.nodes.map(nodes => ({ nodes, learn, virtualNodes, replicas })),
  )
  const total = scenarios.reduce((sum, scenario) => sum + stepsOf(scenario, options), 0)
  const progress = startBar(session, total, 'nodes and lookups')
  const figures = []
  try {
    for (const scenario of scenarios) {
      note(session, `${scenario.nodes} nodes, --learn ${scenario.learn}`)
      const { signal } = session
      const init = { runs, lookups, signal, step: () => progress.advance(1) }
      figures.push(...(await measureRealLookups({ env: session.env }, scenario, init)))
    }
  } finally {
    progress.stop()
    // Also what was measured before an interrupt.
    if (figures.length > 0) {
      for (const line of report.lookupTable(figures)) await print(session, line)
      const files = [
        ['lookup.csv', report.lookupCsv(figures)],
        ['lookup.svg', report.lookupPlot(figures)],
        ['known.svg', report.knownPlot(figures)],
      ] as const
      if (options.output !== undefined) await writeFiles(session, options.output, files)
    }
  }
}

interface MemoryOptions {
  readonly nodes: readonly number[]
  readonly virtualNodes: number
  readonly replicas: number
  readonly output?: string
}

export function addMemoryCommand(experiment: Command, session: Session): void {
  experiment
    .command('memory')
    .description(
      'Memory of an idle node (RssAnon, on Linux) and the size of its map, in networks of real processes on this\n' +
        'machine. Their data goes into a folder of its own, which is removed.',
    )
    .option(
      '--nodes <counts>',
      'sizes of the networks, separated by commas',
      integers(2, REAL_NODES_MAX),
      [5, 15, 35],
    )
    .option('--virtual-nodes <count>', 'identifiers of a node', integer(1, 64), 8)
    .option('--replicas <count>', 'copies of each file', integer(1, 15), 3)
    .option('-o, --output <folder>', 'also writes memory.csv and memory.svg there')
    .addHelpText(
      'after',
      `
Examples:
  altered-chord experiment memory
  altered-chord experiment memory --nodes 5,35 --output figures`,
    )
    .action((options: MemoryOptions) => experimentMemory(session, options))
}

async function experimentMemory(session: Session, options: MemoryOptions): Promise<void> {
  const { virtualNodes, replicas } = options
  const { measureMemory } = await import('../lab/experiments/memory-real.ts')
  const report = await import('../lab/experiments/real-report.ts')
  const total = options.nodes.reduce((sum, nodes) => sum + nodes, 0)
  const progress = startBar(session, total, 'nodes')
  const figures = []
  try {
    for (const nodes of options.nodes) {
      note(session, `${nodes} nodes`)
      const scenario = { nodes, virtualNodes, replicas, learn: 'path' as const }
      const init = { signal: session.signal, started: () => progress.advance(1) }
      figures.push(await measureMemory({ env: session.env }, scenario, init))
    }
  } finally {
    progress.stop()
    if (figures.length > 0) {
      for (const line of report.memoryTable(figures)) await print(session, line)
      const files = [
        ['memory.csv', report.memoryCsv(figures)],
        ['memory.svg', report.memoryPlot(figures)],
      ] as const
      if (options.output !== undefined) await writeFiles(session, options.output, files)
    }
  }
}

function modesOf(learn: string): ('chain' | 'path')[] {
  if (learn === 'both') return ['chain', 'path']
  if (learn === 'chain' || learn === 'path') return [learn]
  throw usageError(`--learn is chain, path or both, not ${learn}`)
}

function refuseSizes(nodes: readonly number[]): void {
  const tooMany = nodes.find(count => count > REAL_NODES_MAX)
  if (tooMany === undefined) return
  throw usageError(`${tooMany} nodes are too many processes; ${REAL_NODES_MAX} at the most, or --simulated.`)
}
