/**
 * `altered-chord get`: files of the store onto this machine or standard output.
 */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { StoreClient } from '../client/client.ts'
import { getArchive } from './archive.ts'
import { addPathConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { withFolderHint } from './folder-hint.ts'
import { GetFolder, type GetFolderOptions } from './get-folder.ts'
import { expanded } from './globs.ts'
import { addProgressOption, type Progress, startProgress } from './progress.ts'
import { addSelectionOptions, type SelectionOptions, selectionOf } from './selection.ts'
import { note, noteFailure, print, type Session, usageError } from './session.ts'
import { TargetFolder, writeTo } from './target-folder.ts'
import { forEachAtOnce, PARALLEL_DEFAULT, parseParallel } from './transfers.ts'

type GetCommandOptions = ConnectionOptions &
  GetFolderOptions &
  SelectionOptions & {
    readonly recursive?: boolean
    readonly progress?: boolean
    readonly tar?: boolean
    readonly zip?: boolean
    readonly json?: boolean
  }

export function addGetCommand(program: Command, session: Session): void {
  const command = program
    .command('get')
    .summary('fetch files')
    .description(
      'Fetches files. TARGET is a file name, a folder, or "-" for standard output; without one, the file goes into\n' +
        'the current folder under the last segment of its PATH. A file on this machine is replaced, and only once the\n' +
        'new one is complete and its SHA-256 is right. With -r, what is here already is not fetched again; modes, times and\n' +
        'symbolic links come back as they were stored.',
    )
    .usage('[options] PATH... [TARGET]')
    .argument(
      '<path...>',
      'files to fetch, or patterns such as "photos/*.jpg"; the last of several is the TARGET',
    )
    .option('-r, --recursive', 'fetch everything below PATH into the folder TARGET')
    .option('--tar', 'fetch everything below PATH as a tar archive, into the file TARGET or to "-"')
    .option('--zip', 'the same as a zip archive')
    .option('--quick', 'with -r: the same size and modification time are the same file, without reading it')
    .option('--delete', 'with -r: remove from the folder what the store does not have')
    .option('-n, --dry-run', 'with -r: say what would be done, and do nothing')
  addSelectionOptions(command)
    .option('--no-links', 'leave symbolic links out')
    .option('--no-meta', 'fetch bytes only, without modes, times and links')
    .option('--parallel <number>', 'files at once', parseParallel, PARALLEL_DEFAULT)
    .option('--json', 'print what was fetched as lines of JSON')
  addProgressOption(command)
  addPathConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord get docs/report.pdf
  altered-chord get docs/report.pdf /tmp/copy.pdf
  altered-chord get -r backup/my-folder restored
  altered-chord get 'photos/*.jpg' pictures/
  altered-chord get --tar backup/my-folder - | tar x
  altered-chord get backup/my-folder.tar.gz - | tar tz`,
    )
    .action((args: string[], options: GetCommandOptions) => get(session, args, options))
  addCatCommand(program, session)
}

function addCatCommand(program: Command, session: Session): void {
  const command = program
    .command('cat')
    .summary('print files')
    .description('Prints files to standard output, one after the other: get PATH... -')
    .argument('<path...>')
  addPathConnectionOptions(command).action((paths: string[], options: ConnectionOptions) =>
    get(session, [...paths, '-'], { ...options, parallel: 1 }),
  )
}

async function get(session: Session, args: readonly string[], options: GetCommandOptions): Promise<void> {
  const paths = args.length > 1 ? args.slice(0, -1) : args
  const target = args.length > 1 ? (args.at(-1) as string) : undefined
  if (options.tar || options.zip) return getWhole(session, paths, target, options)
  if (options.recursive && (target === undefined || target === '-')) {
    throw usageError(`Say which folder it goes into: altered-chord get -r ${paths[0]} FOLDER`)
  }
  for (const name of ['quick', 'delete', 'dryRun'] as const)
    if (options[name] && !options.recursive)
      throw usageError(`--${optionNames[name]} is for folders, with -r.`)
  if (options.delete && paths.length > 1) throw usageError('--delete is for one PATH.')
  const selection = await selectionOf(options)
  await withClient(session, options, async client => {
    const progress = startProgress(session, options.dryRun ? { bar: 'hidden' } : options)
    try {
      const job = { session, client, progress, parallel: options.parallel, json: options.json === true }
      if (options.recursive) {
        const components = { session, client, progress, selection }
        for (const path of paths)
          await new GetFolder(components, { target: target as string }, options).fetch(path)
      } else await getFiles(job, await allOf(expanded(client, paths, session)), target)
    } finally {
      progress.stop()
    }
  })
}

async function getWhole(
  session: Session,
  paths: readonly string[],
  target: string | undefined,
  options: GetCommandOptions,
): Promise<void> {
  const [path, ...more] = paths
  if (options.tar && options.zip) throw usageError('Say either --tar or --zip.')
  if (options.recursive) throw usageError('An archive has everything below PATH; it goes without -r.')
  const format = options.zip ? 'zip' : 'tar'
  if (path === undefined || target === undefined || more.length > 0)
    throw usageError(`Say where the archive goes: altered-chord get --${format} ${path ?? 'PATH'} FILE`)
  await withClient(session, options, async client => {
    const progress = startProgress(session, options)
    try {
      await getArchive({ session, client, progress }, [path, target], format)
    } finally {
      progress.stop()
    }
  })
}

const optionNames = { quick: 'quick', delete: 'delete', dryRun: 'dry-run' } as const

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

interface Job {
  readonly json: boolean
  readonly session: Session
  readonly client: StoreClient
  readonly progress: Progress
  readonly parallel: number
}

async function getFiles(job: Job, paths: readonly string[], target: string | undefined): Promise<void> {
  const { session, client, progress } = job
  const info = target === undefined ? undefined : await stat(target).catch(() => undefined)
  const intoFolder = target === undefined || info?.isDirectory() || (target.endsWith('/') && target !== '-')
  if (paths.length > 1 && !intoFolder && target !== '-') {
    throw usageError(`${target} is no folder; several files need one.`)
  }
  const folder = new TargetFolder({ env: session.env }, { root: target ?? '.' })
  const fetchOne = async (path: string) => {
    const file = await client.get(path, { signal: session.signal })
    if (file.conflicts > 0)
      note(
        session,
        `${path}: ${file.conflicts + 1} versions stand beside each other; see \`versions ${path}\``,
      )
    progress.expect(1, file.size)
    const body = progress.metered(file.body)
    if (target === '-') await pipeline(body, session.stdout, { end: false, signal: session.signal })
    else if (intoFolder) await folder.write(basename(file.path), body, session.signal)
    else await writeTo(session.env, target, body, session.signal)
    progress.fileDone()
    const { size, etag, sha256 } = file
    if (job.json && target !== '-')
      await print(session, JSON.stringify({ path: file.path, size, etag, sha256 }))
  }
  // Standard output takes one file after the other, in the order that was asked for.
  const parallel = target === '-' ? 1 : job.parallel
  await forEachAtOnce(paths, { parallel, signal: session.signal }, fetchOne, async (path, error) =>
    noteFailure(session, `not fetched: ${path}`, await withFolderHint(session, client, path, error)),
  )
}
