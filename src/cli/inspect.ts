/**
 * The commands that say what there is without fetching it: du, stat and find.
 */
import { type Command, InvalidArgumentError } from 'commander'
import type { ListedFile, StoreClient } from '../client/client.ts'
import { kindOfStored } from '../file-attributes.ts'
import { formatQuantity, parseQuantity } from '../quantity.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { expanded, matcherOf } from './globs.ts'
import { noteFailure, print, type Session } from './session.ts'

interface DuOptions extends ConnectionOptions {
  readonly human?: boolean
  readonly json?: boolean
}

type StatOptions = DuOptions

interface FindOptions extends ConnectionOptions {
  readonly name?: string
  readonly type?: 'file' | 'link' | 'folder'
  readonly larger?: number
  readonly smaller?: number
  readonly newer?: number
  readonly older?: number
  readonly print0?: boolean
  readonly json?: boolean
}

export function addInspectCommands(program: Command, session: Session): void {
  addDuCommand(program, session)
  addStatCommand(program, session)
  addFindCommand(program, session)
}

function addDuCommand(program: Command, session: Session): void {
  const command = program
    .command('du')
    .summary('sum up bytes and files of folders')
    .description(
      'Prints bytes, number of files and name of each FOLDER; without one, of everything at the top, and of all of it.\n' +
        'Bytes are those of the files, once; every node in `replicas` keeps that much.',
    )
    .usage('[options] [FOLDER...]')
    .argument('[folder...]')
    .helpOption('--help', 'display help for command')
    .option('-h, --human', 'sizes in KiB, MiB and so on')
    .option('--json', 'one line of JSON for each folder')
  addConnectionOptions(command).action((folders: string[], options: DuOptions) =>
    withClient(session, options, client => du(session, client, folders, options)),
  )
}

interface Sum {
  files: number
  bytes: number
}

async function du(
  session: Session,
  client: StoreClient,
  folders: readonly string[],
  options: DuOptions,
): Promise<void> {
  const say = (path: string, sum: Sum) => {
    const size = options.human ? formatQuantity(sum.bytes, 'bytes') : String(sum.bytes)
    const line = `${size.padStart(14)}  ${String(sum.files).padStart(8)}  ${path}`
    return print(session, options.json ? JSON.stringify({ path, ...sum }) : line)
  }
  const { signal } = session
  if (folders.length > 0) {
    for (const folder of folders) {
      const prefix = prefixOf(folder)
      const sum = { files: 0, bytes: 0 }
      for await (const { size } of client.list(prefix, { signal })) count(sum, size)
      if (sum.files > 0) await say(prefix === '' ? '/' : prefix, sum)
      else noteFailure(session, folder, new Error('nothing lies below this path'))
    }
    return
  }
  const all = { files: 0, bytes: 0 }
  let top: { readonly name: string; readonly sum: Sum } | undefined
  for await (const { path, size } of client.list('', { signal })) {
    const name = path.replace(/\/.*/s, '/')
    if (top !== undefined && top.name !== name) await say(top.name, top.sum)
    if (top?.name !== name) top = { name, sum: { files: 0, bytes: 0 } }
    count(top.sum, size)
    count(all, size)
  }
  if (top !== undefined) await say(top.name, top.sum)
  await say('/', all)
}

function count(sum: Sum, size: number): void {
  sum.files += 1
  sum.bytes += size
}

function prefixOf(folder: string): string {
  return folder === '/' ? '' : `${folder.replace(/^\//, '').replace(/\/+$/, '')}/`
}

function addStatCommand(program: Command, session: Session): void {
  const command = program
    .command('stat')
    .summary('show what is known of a file')
    .description('Prints size, version, time, media type, SHA-256, metadata and the nodes that keep a file.')
    .argument('<path...>', 'paths, or patterns such as "photos/*.jpg"')
    .helpOption('--help', 'display help for command')
    .option('-h, --human', 'sizes in KiB, MiB and so on')
    .option('--json', 'one line of JSON for each file')
  addConnectionOptions(command).action((paths: string[], options: StatOptions) =>
    withClient(session, options, async client => {
      for await (const path of expanded(client, paths, session))
        await statOne(session, client, path.replace(/^\//, ''), options).catch(error =>
          noteFailure(session, path, error),
        )
    }),
  )
}

async function statOne(session: Session, client: StoreClient, path: string, options: StatOptions) {
  const { signal } = session
  let file: ListedFile | undefined
  let isFolder = false
  // In the order of their bytes a path comes first of all that begins with it.
  for await (const listed of client.list(path, { signal, limit: 1 })) {
    if (listed.path === path) file = listed
  }
  if (file === undefined)
    for await (const _ of client.list(prefixOf(path), { signal, limit: 1 })) isFolder = true
  if (file === undefined)
    throw new Error(
      isFolder
        ? 'it is a folder; du sums it up, and list -l shows it'
        : 'no file has this path (FILE_NOT_FOUND)',
    )
  const { replicas } = await client.lookup(path, { signal })
  if (options.json) return print(session, JSON.stringify({ ...file, replicas }))
  const size = options.human ? formatQuantity(file.size, 'bytes') : `${file.size} bytes`
  const lines = [
    `path      ${file.path}`,
    `size      ${size}`,
    `version   ${file.etag}`,
    `written   ${file.writtenAt}`,
    `type      ${file.mediaType}`,
    ...(file.sha256 === undefined ? [] : [`sha256    ${file.sha256}`]),
    ...Object.entries(file.meta ?? {}).map(([name, value]) => `meta      ${name}: ${value}`),
    `replicas  ${replicas.join(', ')}`,
  ]
  for (const line of lines) await print(session, line)
}

function addFindCommand(program: Command, session: Session): void {
  const command = program
    .command('find')
    .summary('find files by name, size and age')
    .description(
      'Prints the paths below FOLDER, or of everything, that fit all that is asked for. SIZE is such as 10MiB, AGE such as 7d.',
    )
    .usage('[options] [FOLDER]')
    .argument('[folder]', '', '/')
    .option('--name <glob>', 'the last segment fits, as in "*.jpg"')
    .option('--type <type>', 'file, link or folder', parseType)
    .option('--larger <size>', 'more bytes than that', parseAs('bytes', '10MiB'))
    .option('--smaller <size>', 'fewer bytes than that', parseAs('bytes', '10MiB'))
    .option('--newer <age>', 'written less than that ago', parseAs('ms', '7d'))
    .option('--older <age>', 'written longer ago', parseAs('ms', '7d'))
    .option('--print0', 'a zero byte behind each path, for xargs -0')
    .option('--json', 'one line of JSON for each file')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord find photos --name '*.jpg' --larger 10MiB
  altered-chord find --older 365d --json`,
    )
    .action((folder: string, options: FindOptions) =>
      withClient(session, options, client => find(session, client, folder, options)),
    )
}

async function find(
  session: Session,
  client: StoreClient,
  folder: string,
  options: FindOptions,
): Promise<void> {
  const fits = fitterOf(options, session.env.clock.nowMs())
  for await (const file of client.list(prefixOf(folder), { signal: session.signal })) {
    if (!fits(file)) continue
    if (options.print0) session.stdout.write(`${file.path}\0`)
    else await print(session, options.json ? JSON.stringify(file) : file.path)
  }
}

function fitterOf(options: FindOptions, nowMs: number): (file: ListedFile) => boolean {
  const { name, type, larger = -1, smaller = Number.POSITIVE_INFINITY } = options
  const { newer = Number.POSITIVE_INFINITY, older = Number.NEGATIVE_INFINITY } = options
  const isNamed = name === undefined ? undefined : matcherOf(name)
  return ({ path, size, writtenAt, mediaType, meta }) => {
    const age = nowMs - Date.parse(writtenAt)
    return (
      size > larger &&
      size < smaller &&
      age < newer &&
      age > older &&
      (isNamed === undefined || isNamed(path.slice(path.lastIndexOf('/') + 1))) &&
      (type === undefined || kindOfStored(size, mediaType, meta?.link) === type)
    )
  }
}

function parseType(text: string): string {
  if (['file', 'link', 'folder'].includes(text)) return text
  throw new InvalidArgumentError('It is file, link or folder.')
}

function parseAs(unit: 'bytes' | 'ms', example: string): (text: string) => number {
  return text => {
    const value = parseQuantity(text, unit)
    if (value === undefined) throw new InvalidArgumentError(`It is such as ${example}.`)
    return value
  }
}
