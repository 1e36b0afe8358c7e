/**
 * `altered-chord remove`: files, what fits a pattern, or everything below a path.
 */
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import type { StoreClient } from '../client/client.ts'
import { counted, formatQuantity } from '../quantity.ts'
import { addPathConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { withFolderHint } from './folder-hint.ts'
import { expanded } from './globs.ts'
import { note, noteFailure, print, type Session, usageError } from './session.ts'
import { forEachAtOnce, PARALLEL_DEFAULT } from './transfers.ts'

interface RemoveCommandOptions extends ConnectionOptions {
  readonly recursive?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly ifMatch?: string
}

export function addRemoveCommand(program: Command, session: Session): void {
  const command = program
    .command('remove')
    .alias('rm')
    .summary('remove files')
    .description(
      'Removes files. They are in the trash for a while, unless the network has none: see "altered-chord trash".',
    )
    .argument('<path...>', 'paths, or patterns such as "photos/*.jpg"')
    .option('-r, --recursive', 'remove everything below each PATH; on a terminal it asks first')
    .option('--yes', 'do not ask')
    .option('-n, --dry-run', 'say what would be removed, and do nothing')
    .option('--json', 'one line of JSON for each file that was removed')
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
  const { dryRun, json } = options
  if (
    options.recursive &&
    !options.yes &&
    !dryRun &&
    isAtTerminal(session) &&
    !(await agrees(session, client, paths))
  )
    return note(session, 'nothing was removed')
  const { signal } = session
  const ifMatch = options.ifMatch === undefined ? {} : { ifMatch: options.ifMatch }
  const doomed = async function* () {
    if (!options.recursive) yield* expanded(client, paths, session)
    else for (const path of paths) yield* below(session, client, path)
  }
  let removed = 0
  await forEachAtOnce(
    doomed(),
    { parallel: PARALLEL_DEFAULT, signal },
    async path => {
      if (dryRun)
        return print(session, json ? JSON.stringify({ path, removed: false }) : `would be removed: ${path}`)
      await client.remove(path, { signal, ...ifMatch })
      removed += 1
      if (json) await print(session, JSON.stringify({ path, removed: true }))
    },
    async (path, error) =>
      noteFailure(session, `not removed: ${path}`, await withFolderHint(session, client, path, error)),
  )
  if (options.recursive && !dryRun && !json) await print(session, `${counted(removed, 'file')} removed`)
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
    const question = `Remove ${counted(files, 'file')}, ${formatQuantity(bytes, 'bytes')}? [y/N] `
    return /^y(?:es)?$/i.test((await lines.question(question, { signal: session.signal })).trim())
  } finally {
    lines.close()
  }
}

/** What the paths of everything in a folder begin with; `/` is all. */
export function prefixOf(path: string): string {
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
