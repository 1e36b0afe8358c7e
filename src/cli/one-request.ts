/**
 * Owns the commands that are one request each: exists, copy, move, remove, status.
 */
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import type { Receipt, StoreClient } from '../client/client.ts'
import { formatQuantity } from '../quantity.ts'
import {
  addConnectionOptions,
  addPathConnectionOptions,
  type ConnectionOptions,
  withClient,
} from './connection.ts'
import { withFolderHint } from './folder-hint.ts'
import { EXIT_CODES, note, noteFailure, print, type Session, usageError } from './session.ts'
import { forEachAtOnce, PARALLEL_DEFAULT } from './transfers.ts'

interface TransferOptions extends ConnectionOptions {
  readonly overwrite?: boolean
  readonly json?: boolean
}

interface RemoveCommandOptions extends ConnectionOptions {
  readonly recursive?: boolean
  readonly yes?: boolean
  readonly ifMatch?: string
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
      const receipt = await client[verb](source, destination, call)
      await print(session, options.json ? JSON.stringify(receipt) : receiptLine(receipt))
    }),
  )
}

function addRemoveCommand(program: Command, session: Session): void {
  const command = program
    .command('remove')
    .alias('rm')
    .summary('remove files')
    .description('Removes files. There is no way back.')
    .argument('<path...>')
    .option('-r, --recursive', 'remove everything below each PATH; on a terminal it asks first')
    .option('--yes', 'do not ask')
    .option('--if-match <etag>', 'remove one file only if it is this version')
  addPathConnectionOptions(command).action((paths: string[], options: RemoveCommandOptions) => {
    if (options.ifMatch !== undefined && (paths.length > 1 || options.recursive)) {
      throw usageError('--if-match is for one file.')
    }
    // An unset variable of a script must not remove everything; who means that writes "/".
    if (paths.includes('')) throw usageError('A PATH is empty.')
    return withClient(session, options, client => remove(session, client, paths, options))
  })
}

async function remove(
  session: Session,
  client: StoreClient,
  paths: readonly string[],
  options: RemoveCommandOptions,
): Promise<void> {
  if (options.recursive && !options.yes && isAtTerminal(session) && !(await agrees(session, client, paths)))
    return note(session, 'nothing was removed')
  const { signal } = session
  const ifMatch = options.ifMatch === undefined ? {} : { ifMatch: options.ifMatch }
  const doomed = async function* () {
    if (!options.recursive) yield* paths
    else for (const path of paths) yield* below(session, client, path)
  }
  await forEachAtOnce(
    doomed(),
    { parallel: PARALLEL_DEFAULT, signal },
    path => client.remove(path, { signal, ...ifMatch }),
    async (path, error) =>
      noteFailure(session, `not removed: ${path}`, await withFolderHint(session, client, path, error)),
  )
}

function isAtTerminal({ stdin, stdout }: Session): boolean {
  return (stdin as { isTTY?: boolean }).isTTY === true && stdout.isTTY === true
}

/** Says what would go, and asks. */
async function agrees(session: Session, client: StoreClient, paths: readonly string[]): Promise<boolean> {
  let files = 0
  let bytes = 0
  for (const path of paths)
    for await (const { size } of client.list(prefixOf(path), { signal: session.signal })) {
      files += 1
      bytes += size
    }
  const lines = createInterface({ input: session.stdin, output: session.stdout })
  try {
    const question = `Remove ${files} files, ${formatQuantity(bytes, 'bytes')}, for good? [y/N] `
    return /^y(?:es)?$/i.test((await lines.question(question, { signal: session.signal })).trim())
  } finally {
    lines.close()
  }
}

function prefixOf(path: string): string {
  return path === '/' ? '' : `${path.replace(/^\//, '').replace(/\/+$/, '')}/`
}

async function* below(session: Session, client: StoreClient, path: string): AsyncGenerator<string> {
  let found = false
  for await (const entry of client.list(prefixOf(path), { signal: session.signal })) {
    found = true
    yield entry.path
  }
  if (!found) noteFailure(session, `not removed: ${path}`, new Error('nothing lies below this path'))
}

function addStatusCommand(program: Command, session: Session): void {
  const command = program
    .command('status')
    .summary('show how a node is doing')
    .description('Prints what the node says of itself, as JSON.')
  addConnectionOptions(command).action((options: ConnectionOptions) =>
    withClient(session, options, async client => {
      await print(session, JSON.stringify(await client.status({ signal: session.signal }), undefined, 2))
    }),
  )
}

/** One line for a person: where it is, how large it is, which version. */
export function receiptLine(receipt: Receipt): string {
  return `${receipt.path}  ${formatQuantity(receipt.size, 'bytes')}  ${receipt.etag}`
}
