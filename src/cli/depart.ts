/**
 * `altered-chord depart`: a node leaves its network for good.
 */
import type { Command } from 'commander'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session } from './session.ts'

interface DepartOptions extends ConnectionOptions {
  readonly stay?: boolean
  readonly json?: boolean
}

export function addDepartCommand(program: Command, session: Session): void {
  const command = program
    .command('depart')
    .summary('make a node leave its network for good')
    .description(
      'Makes the node that --node names hand over everything to the others, empty its data directory and end. It serves\n' +
        'until the others have everything, which takes as long as copying it. To stop a node that comes back, use Ctrl-C.',
    )
    .option('--stay', 'keep it up, alone and empty, instead of ending it')
    .option('--json', 'print the answer as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord depart --node 5001
  altered-chord depart --node 5001 --stay`,
    )
    .action((options: DepartOptions) =>
      withClient(session, options, async client => {
        await client.depart({ signal: session.signal, ...(options.stay && { stay: true }) })
        const words = options.stay ? 'departed: alone and empty now' : 'departed'
        const answer = JSON.stringify({ status: 'departed', stays: options.stay === true })
        await print(session, options.json ? answer : words)
      }),
    )
}
