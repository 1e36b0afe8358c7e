/**
 * `altered-chord trash`: what was removed or replaced is listed, restored, and emptied before its time.
 */
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { errorCode, type StoreClient, type TrashedFile } from '../client/client.ts'
import { counted, formatQuantity, parseQuantity } from '../quantity.ts'
import {
  addConnectionOptions,
  addPathConnectionOptions,
  type ConnectionOptions,
  withClient,
} from './connection.ts'
import { note, noteFailure, print, type Session, usageError } from './session.ts'
import { forEachAtOnce, PARALLEL_DEFAULT } from './transfers.ts'

interface ListTrashOptions extends ConnectionOptions {
  readonly json?: boolean
}

interface RestoreCommandOptions extends ConnectionOptions {
  readonly version?: string
  readonly to?: string
  readonly recursive?: boolean
  readonly overwrite?: boolean
  readonly within?: string
  readonly json?: boolean
}

interface EmptyCommandOptions extends ConnectionOptions {
  readonly olderThan?: string
  readonly yes?: boolean
}

export function addTrashCommand(program: Command, session: Session): void {
  const command = program
    .command('trash')
    .summary('what was removed or replaced')
    .description(
      'Lists, restores and empties what was removed or replaced. It is kept for --trash of the nodes.',
    )
    .addHelpText(
      'after',
      `
Examples:
  altered-chord trash list docs/
  altered-chord trash restore docs/report.pdf
  altered-chord trash restore docs/report.pdf --version 4.1 --to old-report.pdf
  altered-chord trash restore -r docs --within 1h
  altered-chord trash empty --older-than 1d`,
    )
  addListing(command, session)
  addRestoring(command, session)
  addEmptying(command, session)
}

function addListing(command: Command, session: Session): void {
  addConnectionOptions(
    command
      .command('list')
      .description('Lists the versions in the trash whose paths begin with PREFIX, or all.')
      .argument('[prefix]', 'beginning of the paths', '')
      .option('--json', 'one line of JSON for each version'),
  ).action((prefix: string, options: ListTrashOptions) =>
    withClient(session, options, async client => {
      for await (const one of client.trash.list(prefix, { signal: session.signal }))
        await print(session, options.json ? JSON.stringify(one) : lineOf(one))
    }),
  )
}

function addRestoring(command: Command, session: Session): void {
  addPathConnectionOptions(
    command
      .command('restore')
      .description('Puts a version back, by default the one that went into the trash last.')
      .argument('<path>', 'the path, or with -r the folder')
      .option('--version <version>', 'which one, as the list shows it')
      .option('--to <path>', 'another place')
      .option('-r, --recursive', 'everything that was removed below PATH and has not come back')
      .option('--within <time>', 'with -r: only what was removed in this time, such as 1h')
      .option('--overwrite', 'replace what stands there; it goes into the trash')
      .option('--json', 'one line of JSON for each file that was restored'),
  ).action((path: string, options: RestoreCommandOptions) => {
    if (options.recursive && options.version !== undefined) throw usageError('--version is for one file.')
    if (options.within !== undefined && !options.recursive) throw usageError('--within goes with -r.')
    return withClient(session, options, client =>
      options.recursive
        ? restoreBelow(session, client, path, options)
        : restoreOne(session, client, path, options),
    )
  })
}

function addEmptying(command: Command, session: Session): void {
  addConnectionOptions(
    command
      .command('empty')
      .description(
        'Takes what has this PREFIX, or everything, out of the trash for good; on a terminal it asks first.',
      )
      .argument('[prefix]', 'beginning of the paths', '')
      .option('--older-than <time>', 'only what has been there for so long, such as 1d')
      .option('--yes', 'do not ask'),
  ).action((prefix: string, options: EmptyCommandOptions) =>
    withClient(session, options, client => empty(session, client, prefix, options)),
  )
}

function lineOf({ path, version, size, reason, trashedAt }: TrashedFile): string {
  return `${String(size).padStart(14)}  ${trashedAt.slice(0, 19)}Z  ${reason.padEnd(8)}  ${version.padEnd(8)}  ${path}`
}

async function restoreOne(
  session: Session,
  client: StoreClient,
  path: string,
  { version, to, overwrite, json }: RestoreCommandOptions,
): Promise<void> {
  const what = { ...(version !== undefined && { version }), ...(to !== undefined && { to }) }
  const receipt = await client.trash.restore(path, {
    ...what,
    ...(overwrite && { overwrite }),
    signal: session.signal,
  })
  const shown = `${receipt.path}  ${formatQuantity(receipt.size, 'bytes')}  ${receipt.etag}`
  await print(session, json ? JSON.stringify(receipt) : shown)
}

async function restoreBelow(
  session: Session,
  client: StoreClient,
  folder: string,
  options: RestoreCommandOptions,
): Promise<void> {
  const { signal } = session
  const prefix = folderOf(folder)
  const target = options.to === undefined ? prefix : folderOf(options.to)
  const sinceMs = options.within === undefined ? 0 : session.env.clock.nowMs() - withinMs(options.within)
  const counts = { restored: 0, bytes: 0, there: 0 }
  await forEachAtOnce(
    lastRemoved(client, prefix, sinceMs, signal),
    { parallel: PARALLEL_DEFAULT, signal },
    async ({ path, version }) => {
      const to = target + path.slice(prefix.length)
      const where = to === path ? {} : { to }
      try {
        const overwrite = options.overwrite ? { overwrite: true } : {}
        const receipt = await client.trash.restore(path, { version, ...where, ...overwrite, signal })
        counts.restored += 1
        counts.bytes += receipt.size
        if (options.json) await print(session, JSON.stringify(receipt))
      } catch (error) {
        if (errorCode(error) !== 'FILE_EXISTS') throw error
        counts.there += 1
      }
    },
    async ({ path }, error) => noteFailure(session, `not restored: ${path}`, error),
  )
  if (counts.restored + counts.there === 0 && options.within === undefined)
    return noteFailure(session, `not restored: ${folder}`, new Error('nothing below this path was removed'))
  const there = counts.there === 0 ? '' : `; ${counts.there} are there already`
  note(
    session,
    `${counted(counts.restored, 'file')} restored, ${formatQuantity(counts.bytes, 'bytes')}${there}`,
  )
}

/** Of each path below a folder what was removed there last, unless it was replaced after that. */
async function* lastRemoved(
  client: StoreClient,
  prefix: string,
  sinceMs: number,
  signal: AbortSignal,
): AsyncGenerator<TrashedFile> {
  let last: TrashedFile | undefined
  const isWanted = (one: TrashedFile | undefined): one is TrashedFile =>
    one?.reason === 'removed' && Date.parse(one.trashedAt) >= sinceMs
  for await (const one of client.trash.list(prefix, { signal })) {
    if (last?.path !== one.path && isWanted(last)) yield last
    last = one
  }
  if (isWanted(last)) yield last
}

function folderOf(path: string): string {
  return path === '/' ? '' : `${path.replace(/^\//, '').replace(/\/+$/, '')}/`
}

function withinMs(text: string): number {
  const ms = parseQuantity(text, 'ms')
  if (ms === undefined) throw usageError('--within is a time, such as 1h or 2d.')
  return ms
}

async function empty(
  session: Session,
  client: StoreClient,
  prefix: string,
  { olderThan, yes }: EmptyCommandOptions,
): Promise<void> {
  if (!yes && isAtTerminal(session) && !(await agrees(session, prefix)))
    return note(session, 'nothing was taken out')
  const older = olderThan === undefined ? {} : { olderThan }
  const { versions, bytes } = await client.trash.empty(prefix, { ...older, signal: session.signal })
  note(
    session,
    `${counted(versions, 'version')}, ${formatQuantity(bytes, 'bytes')}, ${versions === 1 ? 'is' : 'are'} gone`,
  )
}

function isAtTerminal({ stdin, stdout }: Session): boolean {
  return (stdin as { isTTY?: boolean }).isTTY === true && stdout.isTTY === true
}

async function agrees(session: Session, prefix: string): Promise<boolean> {
  const lines = createInterface({ input: session.stdin, output: session.stdout })
  try {
    const what = prefix === '' ? 'the whole trash' : `what begins with ${prefix}`
    const answer = await lines.question(`Empty ${what} for good? [y/N] `, { signal: session.signal })
    return /^y(?:es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}
