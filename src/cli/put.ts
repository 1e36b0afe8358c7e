/**
 * Owns `altered-chord put`: files, folders and standard input into the store.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { type Command, Option } from 'commander'
import mime from 'mime'
import type { Receipt, StoreClient } from '../client/client.ts'
import { formatQuantity } from '../quantity.ts'
import { addPathConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { walkFolder } from './folder-walk.ts'
import { receiptLine } from './one-request.ts'
import { type Progress, startProgress } from './progress.ts'
import { note, noteFailure, print, type Session, usageError } from './session.ts'
import { forEachAtOnce, PARALLEL_DEFAULT, parseParallel } from './transfers.ts'

/** RFC 9110, section 8.3.1: type, subtype, and parameters whose value is a token or quoted. */
const token = "[\\w!#$%&'*+.^`|~-]+"
const mediaTypePattern = new RegExp(
  `^${token}/${token}(?:[ \\t]*;[ \\t]*${token}=(?:${token}|"(?:[^"\\\\]|\\\\.)*"))*$`,
)

interface PutCommandOptions extends ConnectionOptions {
  readonly recursive?: boolean
  readonly overwrite?: boolean
  readonly ifMatch?: string
  readonly type?: string
  readonly parallel: number
  readonly json?: boolean
}

/** One file on its way into the store; `file` is `-` for standard input. */
interface Upload {
  readonly file: string
  readonly path: string
  readonly size: number | undefined
}

export function addPutCommand(program: Command, session: Session): void {
  const command = program
    .command('put')
    .summary('store files')
    .description(
      'Stores files. A file that is there already is not replaced unless you say --overwrite.\n' +
        'One source goes to PATH itself, unless PATH ends with "/"; several go below PATH under their own names.',
    )
    .usage('[options] SOURCE... PATH')
    .argument(
      '<source...>',
      'files to read, "-" for standard input, folders with -r; the last one is the PATH',
    )
    .option('-r, --recursive', 'store what lies in a folder; symbolic links are not followed')
    .option('--overwrite', 'replace files that are there')
    .addOption(
      new Option('--if-match <etag>', 'replace exactly this version of one file').conflicts([
        'overwrite',
        'recursive',
      ]),
    )
    .option('--type <media-type>', 'media type; otherwise it follows from the ending of the name')
    .option('--parallel <number>', 'files at once', parseParallel, PARALLEL_DEFAULT)
    .option('--json', 'print the receipt of each file as a line of JSON')
  addPathConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord put report.pdf docs/report.pdf
  altered-chord put *.jpg photos/
  altered-chord put -r my-folder backup/my-folder
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
  const uploads = await plan(session, sources, target, options)
  await withClient(session, options, client => run(session, client, uploads, options))
}

async function run(
  session: Session,
  client: StoreClient,
  uploads: readonly Upload[],
  options: PutCommandOptions,
): Promise<void> {
  // Receipts come out while it goes on; a bar would run through them.
  const progress = startProgress(session.stderr, options.json ? 'hidden' : 'shown')
  progress.expect(
    uploads.length,
    uploads.reduce((sum, upload) => sum + (upload.size ?? 0), 0),
  )
  const stored = { files: 0, bytes: 0 }
  let last: Receipt | undefined
  const store = async (upload: Upload) => {
    const receipt = await putOne(session, client, upload, options, progress)
    stored.files += 1
    stored.bytes += receipt.size
    progress.fileDone()
    if (options.json) await print(session, JSON.stringify(receipt))
    last = receipt
  }
  try {
    await forEachAtOnce(
      uploads,
      { parallel: options.parallel, signal: session.signal },
      store,
      (upload, error) => noteFailure(session, `not stored: ${upload.file} as ${upload.path}`, error),
    )
  } finally {
    progress.stop()
  }
  if (options.json) return
  if (uploads.length !== 1) {
    await print(session, `${stored.files} files stored, ${formatQuantity(stored.bytes, 'bytes')}`)
  } else if (last !== undefined) await print(session, receiptLine(last))
}

async function putOne(
  session: Session,
  client: StoreClient,
  upload: Upload,
  options: PutCommandOptions,
  progress: Progress,
) {
  let sent = 0
  const open = () => {
    // A repeated try starts from the first byte again.
    progress.advance(-sent)
    sent = 0
    const body = upload.file === '-' ? (session.stdin as AsyncIterable<Uint8Array>) : beginningOf(upload)
    return progress.metered(body, bytes => {
      sent += bytes
    })
  }
  const receipt = await client.put(upload.path, upload.file === '-' ? open() : open, {
    mediaType: options.type ?? mime.getType(upload.path) ?? 'application/octet-stream',
    signal: session.signal,
    ...(options.overwrite ? { overwrite: true } : {}),
    ...(options.ifMatch === undefined ? {} : { ifMatch: options.ifMatch }),
    ...(upload.size === undefined ? {} : { size: upload.size }),
  })
  const sizeNow = upload.file === '-' ? undefined : (await stat(upload.file).catch(() => undefined))?.size
  if (sizeNow !== undefined && sizeNow > receipt.size)
    note(session, `${upload.file} has grown meanwhile; stored are its first ${receipt.size} bytes`)
  return receipt
}

/** The bytes that a file had when it was looked at: a log that is written to has no end. */
function beginningOf({ file, size }: Upload): AsyncIterable<Uint8Array> {
  if (size === 0) return Readable.from([])
  return createReadStream(file, size === undefined ? {} : { end: size - 1 })
}

/** Every file that is to be sent; what is left out is said on stderr at once. */
async function plan(
  session: Session,
  sources: readonly string[],
  target: string,
  options: PutCommandOptions,
): Promise<Upload[]> {
  const below = target.endsWith('/') || sources.length > 1
  const folder = target === '/' || target === '' ? '' : `${target.replace(/\/+$/, '')}/`
  const uploads: Upload[] = []
  for (const source of sources) {
    if (source === '-') {
      if (below) throw usageError('Standard input has no name: say the whole PATH, and no other source.')
      uploads.push({ file: '-', path: target, size: undefined })
      continue
    }
    try {
      const info = await stat(source)
      if (info.isDirectory()) {
        if (!options.recursive) throw new Error('it is a folder; add -r to store what lies in it')
        const prefix = sources.length > 1 ? `${folder}${basename(source)}/` : folder
        uploads.push(...(await planFolder(session, source, prefix)))
      } else if (!info.isFile())
        throw new Error('it is not a regular file; to store what it gives out, use "-"')
      else uploads.push({ file: source, path: below ? folder + basename(source) : target, size: info.size })
    } catch (error) {
      noteFailure(session, `not stored: ${source}`, error)
    }
  }
  return uploads
}

async function planFolder(session: Session, source: string, prefix: string): Promise<Upload[]> {
  const uploads: Upload[] = []
  for await (const walked of walkFolder(source)) {
    session.signal.throwIfAborted()
    if (walked.kind === 'file')
      uploads.push({ file: walked.file, path: prefix + walked.path, size: walked.size })
    else if (walked.kind === 'skipped') note(session, `skipped (${walked.reason}): ${walked.path}`)
    else noteFailure(session, `not stored: ${walked.path}`, walked.error)
  }
  return uploads
}
