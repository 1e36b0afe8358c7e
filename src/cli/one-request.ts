/**
 * The commands that are one request each (exists, status), and copy, move and remove.
 */
import type { Command } from 'commander'
import {
  addConnectionOptions,
  addPathConnectionOptions,
  type ConnectionOptions,
  withClient,
} from './connection.ts'
import { addCopyAndMoveCommands } from './copy-and-move.ts'
import { addRemoveCommand } from './remove.ts'
import { EXIT_CODES, print, type Session } from './session.ts'

export function addOneRequestCommands(program: Command, session: Session): void {
  addExistsCommand(program, session)
  addCopyAndMoveCommands(program, session)
  addRemoveCommand(program, session)
  addStatusCommand(program, session)
}

function addExistsCommand(program: Command, session: Session): void {
  const command = program
    .command('exists')
    .summary('say whether there is a file')
    .description('Prints true or false. The exit code is 0 for true and 1 for false.')
    .argument('<path>')
    .option('--json', 'the same; both words are JSON')
  addPathConnectionOptions(command).action((path: string, options: ConnectionOptions) =>
    withClient(session, options, async client => {
      const exists = await client.exists(path, { signal: session.signal })
      if (!exists) session.exitCode = EXIT_CODES.refused
      await print(session, String(exists))
    }),
  )
}

function addStatusCommand(program: Command, session: Session): void {
  const command = program
    .command('status')
    .summary('show how a node is doing')
    .description('Prints what the node says of itself, as JSON.')
    .option('--json', 'on one line')
  addConnectionOptions(command).action((options: ConnectionOptions & { readonly json?: boolean }) =>
    withClient(session, options, async client => {
      const status = await client.status({ signal: session.signal })
      await print(session, JSON.stringify(status, undefined, options.json ? 0 : 2))
    }),
  )
}
