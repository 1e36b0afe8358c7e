/**
 * `altered-chord versions`: what stands beside each other at one path in a network with eventual consistency, and settling it.
 */
import type { Command } from 'commander'
import type { FileVersion, StoreClient } from '../client/client.ts'
import { addPathConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session, usageError } from './session.ts'

interface VersionsOptions extends ConnectionOptions {
  readonly keep?: string
  readonly json?: boolean
}

export function addVersionsCommand(program: Command, session: Session): void {
  const command = program
    .command('versions')
    .summary('versions that stand beside each other, and which one to keep')
    .description(
      'Lists the versions of PATH that were written without knowing of each other, the one that `get` gives first. There is more\n' +
        'than one only in a network with eventual consistency. With --keep one of them takes the place of all that are listed.',
    )
    .argument('<path>')
    .option('--keep <version>', 'its number in the list, or its ETag')
    .option('--json', 'one line of JSON for each version')
  addPathConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord versions docs/report.pdf
  altered-chord versions docs/report.pdf --keep 2
  altered-chord put --if-match '"1.7-0a1b2c3d", "4.9-5e6f7a8b"' merged.pdf docs/report.pdf`,
    )
    .action((path: string, options: VersionsOptions) =>
      withClient(session, options, async client => {
        const all = await client.eventual.versions(path, { signal: session.signal })
        if (options.keep !== undefined) return keep(session, client, path, all, options.keep)
        for (const [index, one] of all.entries())
          await print(session, options.json ? JSON.stringify(one) : lineOf(one, index))
      }),
    )
}

/** Only what is listed is replaced: a version that comes to be known meanwhile stays. */
async function keep(
  session: Session,
  client: StoreClient,
  path: string,
  all: readonly FileVersion[],
  wanted: string,
): Promise<void> {
  const one = all.find(
    ({ etag }, index) => wanted === `${index + 1}` || etag === wanted || etag === `"${wanted}"`,
  )
  if (one === undefined) throw usageError(`${path} has no version ${wanted}.`)
  const { signal } = session
  const file = await client.get(path, { version: one.etag, signal })
  const { mediaType, size, meta } = file
  const ifMatch = all.map(({ etag }) => etag).join(', ')
  const receipt = await client.put(path, file.body, { mediaType, size, meta, ifMatch, signal })
  await print(session, `${path}  ${receipt.etag}`)
}

function lineOf({ etag, size, writtenAt, sha256 }: FileVersion, index: number): string {
  return `${index + 1}  ${etag}  ${size} B  ${writtenAt}  ${sha256.slice(0, 16)}`
}
