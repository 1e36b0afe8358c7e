/**
 * `altered-chord experiment gossip`: detection time, false suspicions, bytes and rounds of gossip in simulated networks.
 */
import type { Command } from 'commander'
import type { GossipResult } from '../lab/experiments/gossip-report.ts'
import { integers, startBar, writeFiles } from './experiment-terms.ts'
import { print, type Session } from './session.ts'

/** The sizes of docs/experiments/gossip. */
const NODES = [100, 1_000, 10_000]

/** A simulated node keeps the heartbeats of 32 others. */
const NODES_MAX = 50_000

interface GossipOptions {
  readonly nodes: readonly number[]
  readonly output?: string
}

export function addGossipExperiment(experiment: Command, session: Session): void {
  experiment
    .command('gossip')
    .description(
      'How soon gossip finds a crash, whether it suspects the living, and what it costs, in simulated networks: by size, and by\n' +
        'T_fail with lost messages and nodes that stand still.',
    )
    .option('--nodes <counts>', 'sizes of the networks, separated by commas', integers(3, NODES_MAX), NODES)
    .option('-o, --output <folder>', 'also writes the page and its plots there')
    .addHelpText(
      'after',
      `
Examples:
  altered-chord experiment gossip --nodes 100
  altered-chord experiment gossip --output docs/experiments/gossip`,
    )
    .action((options: GossipOptions) => experimentGossip(session, options))
}

async function experimentGossip(session: Session, { nodes, output }: GossipOptions): Promise<void> {
  const { gossipPage, gossipRuns, tablesOf } = await import('../lab/experiments/gossip-report.ts')
  const { runGossip } = await import('../lab/experiments/gossip-simulated.ts')
  const runs = gossipRuns(nodes)
  const progress = startBar(session, runs.length, 'networks')
  const results: GossipResult[] = []
  for (const run of runs) {
    session.signal.throwIfAborted()
    results.push({ ...run, figure: runGossip(run.scenario) })
    progress.advance(1)
    // So that an interruption is heard between two networks.
    await session.env.timers.sleep(0)
  }
  progress.stop()
  for (const line of tablesOf(results)) await print(session, line)
  const command = 'altered-chord experiment gossip --output docs/experiments/gossip'
  if (output !== undefined) await writeFiles(session, output, gossipPage(results, command))
}
