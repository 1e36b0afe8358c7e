/**
 * `altered-chord list`: which files there are.
 */
import type { Command } from 'commander'
import type { ListedFile, ListedFolder } from '../client/client.ts'
import { formatQuantity } from '../quantity.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { isGlob, matching } from './globs.ts'
import { noteFailure, print, type Session } from './session.ts'

interface ListCommandOptions extends ConnectionOptions {
  readonly long?: boolean
  readonly human?: boolean
  readonly level?: boolean
  readonly json?: boolean
}

export function addListCommand(program: Command, session: Session): void {
  const command = program
    .command('list')
    .alias('ls')
    .summary('list files')
    .description(
      'Lists the paths that begin with PREFIX or fit the pattern, or all, in the order of their bytes.\n' +
        'A PREFIX or pattern that fits no path is an error.',
    )
    .usage('[options] [PREFIX]')
    .argument('[prefix]', 'beginning of the paths, or a pattern such as "photos/*.jpg"', '')
    .helpOption('--help', 'display help for command')
    .option('-l, --long', 'with size in bytes, time and media type')
    .option('-h, --human', 'sizes in KiB, MiB and so on')
    .option('--level', 'one level only: what lies in a folder is summed up as the name of the folder')
    .option('--json', 'one line of JSON for each file')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord list
  altered-chord list -l docs/
  altered-chord list -l -h 'photos/**/*.jpg'
  altered-chord list --level`,
    )
    .action((prefix: string, options: ListCommandOptions) => list(session, prefix, options))
}

async function list(session: Session, named: string, options: ListCommandOptions): Promise<void> {
  const prefix = named.replace(/^\/+/, '')
  await withClient(session, options, async client => {
    const call = { signal: session.signal }
    const listed = options.level ? client.listLevel(prefix, call) : client.list(prefix, call)
    let found = false
    for await (const entry of listed) {
      found = true
      await print(session, lineOf(entry, options))
    }
    // An empty store is a good answer; what was named and is not there is an error, as with ls of files.
    if (found || prefix === '') return
    const isPattern = isGlob(prefix) && !options.level
    if (isPattern)
      for await (const entry of matching(client, prefix, session)) {
        found = true
        await print(session, lineOf(entry, options))
      }
    if (!found)
      noteFailure(
        session,
        prefix,
        new Error(isPattern ? 'no path fits this pattern' : 'no path begins like this'),
      )
  })
}

function lineOf(entry: ListedFile | ListedFolder, options: ListCommandOptions): string {
  if (options.json) return JSON.stringify(entry)
  if (!('path' in entry)) return options.long ? `${' '.repeat(38)}${entry.prefix}` : entry.prefix
  if (!options.long) return entry.path
  const size = options.human ? formatQuantity(entry.size, 'bytes') : String(entry.size)
  return `${size.padStart(14)}  ${entry.writtenAt.slice(0, 19)}Z  ${entry.path}  (${entry.mediaType})`
}
