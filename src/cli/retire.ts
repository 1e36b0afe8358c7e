/**
 * `altered-chord retire`: an operator's word that a node never comes back.
 */
import type { Command } from 'commander'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { note, print, type Session } from './session.ts'

export function addRetireCommand(program: Command, session: Session): void {
  const command = program
    .command('retire')
    .summary('say that a node never comes back (eventual consistency)')
    .description(
      'In a network with eventual consistency, removed paths are remembered until every node that held them has said so. A node that\n' +
        'is gone for good keeps them waiting until it is retired. What its disk holds is refused from then on.',
    )
    .argument('<node>', 'its address, as `overlay` and `status` show it')
  addConnectionOptions(command)
    .addHelpText('after', '\nExample:\n  altered-chord retire 10.0.0.7:5000')
    .action((node: string, options: ConnectionOptions) =>
      withClient(session, options, async client => {
        const { missed } = await client.eventual.retire(node, { signal: session.signal })
        for (const one of missed) note(session, `${one} does not answer; it is told when it is back`)
        await print(session, `${node} is retired`)
      }),
    )
}
