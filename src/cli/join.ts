/**
 * `altered-chord join`: a running node goes into the network of another one.
 */
import type { Command } from 'commander'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session } from './session.ts'

export function addJoinCommand(program: Command, session: Session): void {
  const command = program
    .command('join')
    .summary('make a running node join a network')
    .description(
      'Makes the node that --node names join the network of NODE (a port, HOST:PORT or a URL; without it, of the boot\n' +
        'nodes that it was started with). It has to be alone and empty. Usually a node joins when it starts: start -b NODE.',
    )
    .usage('[options] [NODE]')
    .argument('[boot]', 'a node of the network to join')
    .option('--json', 'print the answer as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord join --node 5001 5000
  altered-chord join --node http://files2.example:5000 files1.example:5000`,
    )
    .action((boot: string | undefined, options: ConnectionOptions & { readonly json?: boolean }) =>
      withClient(session, options, async client => {
        const answer = await client.join(boot, { signal: session.signal })
        const words = `${answer.status === 'joined' ? 'joined' : 'already in'} network ${answer.networkId}`
        await print(session, options.json ? JSON.stringify(answer) : words)
      }),
    )
}
