/**
 * The commands that are one request each: exists, copy, move, status.
 */
import type { Command } from 'commander'
import type { Receipt } from '../client/client.ts'
import { formatQuantity } from '../quantity.ts'
import {
  addConnectionOptions,
  addPathConnectionOptions,
  type ConnectionOptions,
  withClient,
} from './connection.ts'
import { withFolderHint } from './folder-hint.ts'
import { addRemoveCommand } from './remove.ts'
import { EXIT_CODES, print, type Session } from './session.ts'

interface TransferOptions extends ConnectionOptions {
  readonly overwrite?: boolean
  readonly json?: boolean
}

export function addOneRequestCommands(program: Command, session: Session): void {
  addExistsCommand(program, session)
  addTransferCommand(program, session, 'copy')
  addTransferCommand(program, session, 'move')
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

function addTransferCommand(program: Command, session: Session, verb: 'copy' | 'move'): void {
  const command = program
    .command(verb)
    .alias(verb === 'copy' ? 'cp' : 'mv')
    .summary(verb === 'copy' ? 'copy a file inside the store' : 'give a file another path')
    .description(
      verb === 'copy'
        ? 'Copies a file inside the store; its bytes do not pass through this machine.'
        : 'Gives a file another path. At no moment is it at neither of them.',
    )
    .argument('<source>')
    .argument('<destination>')
    .option('--overwrite', 'replace a file at the destination')
    .option('--json', 'print the receipt as JSON')
  addPathConnectionOptions(command).action((source: string, destination: string, options: TransferOptions) =>
    withClient(session, options, async client => {
      const call = { signal: session.signal, ...(options.overwrite ? { overwrite: true } : {}) }
      const receipt = await client[verb](source, destination, call).catch(async error => {
        throw await withFolderHint(session, client, source, error, 'it is a folder, and this is for files')
      })
      await print(session, options.json ? JSON.stringify(receipt) : receiptLine(receipt))
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

/** One line for a person: where it is, how large it is, which version. */
export function receiptLine(receipt: Receipt): string {
  return `${receipt.path}  ${formatQuantity(receipt.size, 'bytes')}  ${receipt.etag}`
}
