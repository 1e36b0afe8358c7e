/**
 * Owns `altered-chord get`: files of the store onto this machine or standard output.
 */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { ListedFile, StoreClient } from '../client/client.ts'
import { formatQuantity } from '../quantity.ts'
import { addPathConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { type Progress, startProgress } from './progress.ts'
import { note, noteFailure, print, type Session, usageError } from './session.ts'
import { conflictFinder, TargetFolder, writeTo } from './target-folder.ts'
import { forEachAtOnce, PARALLEL_DEFAULT, parseParallel } from './transfers.ts'

interface GetCommandOptions extends ConnectionOptions {
  readonly recursive?: boolean
  readonly parallel: number
}

export function addGetCommand(program: Command, session: Session): void {
  const command = program
    .command('get')
    .summary('fetch files')
    .description(
      'Fetches files. TARGET is a file name, a folder, or "-" for standard output; without one, the file goes into\n' +
        'the current folder under the last segment of its PATH. A file on this machine is replaced, and only once the\n' +
        'new one is complete and its SHA-256 is right.',
    )
    .usage('[options] PATH... [TARGET]')
    .argument('<path...>', 'files to fetch; the last of several is the TARGET')
    .option('-r, --recursive', 'fetch everything below PATH into the folder TARGET')
    .option('--parallel <number>', 'files at once', parseParallel, PARALLEL_DEFAULT)
  addPathConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord get docs/report.pdf
  altered-chord get docs/report.pdf /tmp/copy.pdf
  altered-chord get -r backup/my-folder restored
  altered-chord get backup/my-folder.tar.gz - | tar tz`,
    )
    .action((args: string[], options: GetCommandOptions) => get(session, args, options))
}

async function get(session: Session, args: readonly string[], options: GetCommandOptions): Promise<void> {
  const paths = args.length > 1 ? args.slice(0, -1) : args
  const target = args.length > 1 ? (args.at(-1) as string) : undefined
  if (options.recursive && (target === undefined || target === '-')) {
    throw usageError(`Say which folder it goes into: altered-chord get -r ${paths[0]} FOLDER`)
  }
  await withClient(session, options, async client => {
    const progress = startProgress(session.stderr)
    try {
      const job = { session, client, progress, parallel: options.parallel }
      if (options.recursive) for (const path of paths) await getFolder(job, path, target as string)
      else await getFiles(job, paths, target)
    } finally {
      progress.stop()
    }
  })
}

interface Job {
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
    progress.expect(1, file.size)
    const body = progress.metered(file.body)
    if (target === '-') await pipeline(body, session.stdout, { end: false, signal: session.signal })
    else if (intoFolder) await folder.write(basename(file.path), body, session.signal)
    else await writeTo(session.env, target, body, session.signal)
    progress.fileDone()
  }
  // Standard output takes one file after the other, in the order that was asked for.
  const parallel = target === '-' ? 1 : job.parallel
  await forEachAtOnce(paths, { parallel, signal: session.signal }, fetchOne, (path, error) =>
    noteFailure(session, `not fetched: ${path}`, error),
  )
}

async function getFolder(job: Job, path: string, target: string): Promise<void> {
  const { session, client, progress } = job
  const prefix = path === '' || path === '/' ? '' : `${path.replace(/^\//, '').replace(/\/+$/, '')}/`
  const folder = new TargetFolder({ env: session.env }, { root: target })
  const fetched = { files: 0, bytes: 0 }
  let listed = 0
  const inTheWay = conflictFinder()
  const entries = async function* () {
    for await (const entry of client.list(prefix, { signal: session.signal })) {
      listed += 1
      progress.expect(1, entry.size)
      const file = inTheWay(entry.path)
      if (file === undefined) yield entry
      else
        noteFailure(
          session,
          `not written: ${entry.path}`,
          new Error(`${file} is a file, so nothing can be below it`),
        )
    }
  }
  const fetchOne = async (entry: ListedFile) => {
    const file = await client.get(entry.path, { signal: session.signal })
    await folder.write(entry.path.slice(prefix.length), progress.metered(file.body), session.signal)
    fetched.files += 1
    fetched.bytes += file.size
    progress.fileDone()
  }
  await forEachAtOnce(
    entries(),
    { parallel: job.parallel, signal: session.signal },
    fetchOne,
    (entry, error) => noteFailure(session, `not written: ${entry.path}`, error),
  )
  progress.stop()
  if (listed === 0) noteFailure(session, `not fetched: ${path}`, new Error('nothing lies below this path'))
  else await print(session, `${fetched.files} files fetched, ${formatQuantity(fetched.bytes, 'bytes')}`)
  if (fetched.files < listed) note(session, `${listed - fetched.files} of ${listed} files were not written`)
}
