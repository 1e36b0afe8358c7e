/**
 * `altered-chord experiment routing`: ways of routing side by side, in simulated networks.
 */
import type { Command } from 'commander'
import type { RoutingResult } from '../lab/experiments/routing-report.ts'
import { integers, startBar, writeFiles } from './experiment-terms.ts'
import { print, type Session } from './session.ts'

/** The sizes of docs/routing-compared.md. */
const NODES = [100, 1_000, 10_000]

/** A simulated network keeps four bytes and more for each pair of its nodes. */
const NODES_MAX = 20_000

interface RoutingOptions {
  readonly nodes: readonly number[]
  readonly output?: string
}

export function addRoutingExperiment(experiment: Command, session: Session): void {
  experiment
    .command('routing')
    .description(
      'Path learning and Kelips beside Chord with fingers and stabilization, in simulated networks with and without churn: hops, success, time-outs,\n' +
        'memory and bytes; and how soon gossip in groups, as Kelips has them, knows that half of the nodes have crashed.',
    )
    .option('--nodes <counts>', 'sizes of the networks, separated by commas', integers(10, NODES_MAX), NODES)
    .option('-o, --output <folder>', 'also writes the page and its plots there')
    .addHelpText(
      'after',
      `
Examples:
  altered-chord experiment routing --nodes 100
  altered-chord experiment routing --output docs`,
    )
    .action((options: RoutingOptions) => experimentRouting(session, options))
}

async function experimentRouting(session: Session, { nodes, output }: RoutingOptions): Promise<void> {
  const { massCrashScenario, massCrashTable, routingPage, routingScenarios, tableOf } = await import(
    '../lab/experiments/routing-report.ts'
  )
  const { runRouting } = await import('../lab/experiments/routing-compared.ts')
  const { runMassCrash } = await import('../lab/experiments/gossip-simulated.ts')
  const scenarios = routingScenarios(nodes)
  const progress = startBar(session, scenarios.length, 'networks')
  const results: RoutingResult[] = []
  // So that an interruption is heard within a network.
  const onSecond = async () => {
    await session.env.timers.sleep(0)
    session.signal.throwIfAborted()
  }
  for (const scenario of scenarios) {
    results.push({ scenario, figure: await runRouting(scenario, onSecond) })
    progress.advance(1)
  }
  progress.stop()
  const crash = massCrashScenario(Math.min(1_000, Math.max(...nodes)))
  const figure = runMassCrash(crash, 1 / 2)
  for (const line of [...tableOf(results), '', ...massCrashTable(crash, figure)]) await print(session, line)
  const command = `npm run experiment:routing -- --nodes ${nodes.join(',')}`
  if (output !== undefined)
    await writeFiles(session, output, routingPage(results, { scenario: crash, figure }, command))
}
