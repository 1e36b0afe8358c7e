/**
 * `altered-chord put`: files, folders and standard input into the store.
 */
import { type Command, Option } from 'commander'
import { putArchive } from './archive.ts'
import { addPathConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { addProgressOption, startProgress } from './progress.ts'
import { PutRun, type PutRunOptions } from './put-run.ts'
import { addSelectionOptions, type SelectionOptions, selectionOf } from './selection.ts'
import { type Session, usageError } from './session.ts'
import { PARALLEL_DEFAULT, parseParallel, SMALL_AT_ONCE } from './transfers.ts'
import { type PlanOptions, planUploads } from './uploads.ts'

/** RFC 9110, section 8.3.1: type, subtype, and parameters whose value is a token or quoted. */
const token = "[\\w!#$%&'*+.^`|~-]+"
const mediaTypePattern = new RegExp(
  `^${token}/${token}(?:[ \\t]*;[ \\t]*${token}=(?:${token}|"(?:[^"\\\\]|\\\\.)*"))*$`,
)

type PutCommandOptions = ConnectionOptions &
  PutRunOptions &
  PlanOptions &
  SelectionOptions & { readonly progress?: boolean; readonly tar?: boolean }

export function addPutCommand(program: Command, session: Session): void {
  const command = program
    .command('put')
    .summary('store files')
    .description(
      'Stores files. A file that is there already is not replaced unless you say --overwrite.\n' +
        'One source goes to PATH itself, unless PATH ends with "/"; several go below PATH under their own names.\n' +
        'With -r, what the store has already is not sent again, so that the same command once more sends what is new,\n' +
        'and after an interruption what is missing. A file that has changed since is named and not replaced; a backup that\n' +
        'is run again and again is put -r --overwrite. What was replaced stays in the trash for a while.\n' +
        'Modes, modification times and symbolic links are kept as metadata.',
    )
    .usage('[options] SOURCE... PATH')
    .argument(
      '<source...>',
      'files to read, "-" for standard input, folders with -r; the last one is the PATH',
    )
    .option('-r, --recursive', 'store what lies in a folder')
    .option('--overwrite', 'replace files that are there')
    .addOption(
      new Option('--if-match <etag>', 'replace exactly this version of one file').conflicts([
        'overwrite',
        'recursive',
      ]),
    )
    .option('--tar', 'SOURCE is a tar archive: what it has goes below PATH')
    .option('--quick', 'with -r: the same size and modification time are the same file, without reading it')
    .option('--delete', 'with -r: remove from the store what is not in the folder')
    .option('-n, --dry-run', 'say what would be done, and do nothing')
  addSelectionOptions(command)
    .option('--no-links', 'leave symbolic links out')
    .option('--folders', 'keep folders too, with their modes and times, as empty files')
    .option('--no-meta', 'store bytes only, without modes, times and links')
    .option('--type <media-type>', 'media type; otherwise it follows from the ending of the name')
    .option(
      '--parallel <number>',
      `files at once (default: ${PARALLEL_DEFAULT}, and ${SMALL_AT_ONCE} of up to 64 KiB)`,
      parseParallel,
    )
    .option('--json', 'print the receipt of each file as a line of JSON')
  addProgressOption(command)
  addPathConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord put report.pdf docs/report.pdf
  altered-chord put *.jpg photos/
  altered-chord put -r my-folder backup/my-folder
  altered-chord put -r --overwrite --delete --exclude node_modules my-folder backup/my-folder
  altered-chord put -r --overwrite my-folder backup/my-folder    # again, every night
  tar c my-folder | altered-chord put --tar - backup
  tar cz my-folder | altered-chord put - backup/my-folder.tar.gz`,
    )
    .action((args: string[], options: PutCommandOptions) => put(session, args, options))
}

async function put(session: Session, args: readonly string[], options: PutCommandOptions): Promise<void> {
  const sources = args.slice(0, -1)
  const target = args.at(-1) as string
  if (sources.length === 0) {
    throw usageError(`Say what to store and where: altered-chord put ${target} PATH`)
  }
  if (options.ifMatch !== undefined && sources.length > 1) throw usageError('--if-match is for one file.')
  if (options.type !== undefined && !mediaTypePattern.test(options.type))
    throw usageError(`--type takes a media type such as text/plain, not ${JSON.stringify(options.type)}.`)
  refuseLone(options)
  if (options.tar) return putTar(session, sources, target, options)
  if (options.delete && /^\/*$/.test(target) && sources.length === 1)
    throw usageError('--delete with the PATH "/" would remove everything else from the store.')
  const selection = await selectionOf(options)
  const plans = await planUploads(session, sources, target, selection, options)
  await withClient(session, options, async client => {
    // Receipts come out while it goes on; a bar would run through them.
    const hidden = options.json || options.dryRun
    const progress = startProgress(session, hidden ? { bar: 'hidden' } : options)
    try {
      await new PutRun({ session, client, progress, selection }, options).run(plans)
    } finally {
      progress.stop()
    }
  })
}

async function putTar(
  session: Session,
  sources: readonly string[],
  target: string,
  options: PutCommandOptions,
): Promise<void> {
  const [source, ...more] = sources
  if (source === undefined || more.length > 0) throw usageError('--tar is for one archive.')
  for (const name of ['recursive', 'ifMatch', 'type', 'dryRun', 'exclude', 'include'] as const)
    if (options[name] !== undefined) throw usageError(`--tar goes without ${NAMES_BESIDE_TAR[name]}.`)
  await withClient(session, options, async client => {
    const progress = startProgress(session, options)
    try {
      await putArchive({ session, client, progress }, [source, target], options)
    } finally {
      progress.stop()
    }
  })
}

const NAMES_BESIDE_TAR = {
  recursive: '-r',
  ifMatch: '--if-match',
  type: '--type',
  dryRun: '--dry-run',
  exclude: '--exclude',
  include: '--include',
} as const

function refuseLone(options: PutCommandOptions): void {
  if (options.recursive) return
  for (const name of ['quick', 'delete', 'folders'] as const)
    if (options[name] && !(name === 'folders' && options.tar))
      throw usageError(`--${name} is for folders, with -r.`)
}
