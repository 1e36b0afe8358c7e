/**
 * `altered-chord lookup`: who answers for a path, and which nodes were asked on the way.
 */
import type { Command } from 'commander'
import type { LookupAnswer } from '../client/client.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session } from './session.ts'

interface LookupOptions extends ConnectionOptions {
  readonly json?: boolean
}

export function addLookupCommand(program: Command, session: Session): void {
  const command = program
    .command('lookup')
    .summary('show which nodes answer for a path')
    .description(
      'Finds who answers for PATH, whether or not it has a file, and shows the nodes visited on the way.',
    )
    .argument('<path>')
    .option('--json', 'print the whole answer as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord lookup docs/report.pdf
  altered-chord lookup --json docs/report.pdf`,
    )
    .action((path: string, options: LookupOptions) =>
      withClient(session, options, async client => {
        const answer = await client.lookup(path, { signal: session.signal })
        for (const line of options.json ? [JSON.stringify(answer)] : linesOf(answer))
          await print(session, line)
      }),
    )
}

function linesOf({ key, owner, replicas, chain, hops, failed, ms }: LookupAnswer): string[] {
  const steps = `${hops} ${hops === 1 ? 'hop' : 'hops'}, ${ms} ms`
  return [
    `key       ${key}`,
    `owner     ${owner}`,
    `replicas  ${replicas.join(', ')}`,
    `visited   ${chain.join(' -> ')}  (${steps}${failed > 0 ? `, ${failed} failed` : ''})`,
  ]
}
