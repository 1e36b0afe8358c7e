/**
 * `altered-chord share`: a link that gives a file or a folder to somebody without a token.
 */
import type { Command } from 'commander'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session } from './session.ts'

interface ShareOptions extends ConnectionOptions {
  readonly for: string
  readonly json?: boolean
}

export function addShareCommand(program: Command, session: Session): void {
  const command = program
    .command('share')
    .summary('make a link to a file or a folder')
    .description(
      'Prints a link that gives PATH, or with a slash at its end the folder and everything below it, to whoever has the ' +
        'link: read-only, until it ends. Changing --share-key on every node revokes all links.',
    )
    .argument('<path>')
    .option('--for <time>', 'how long the link counts, 1s to 366d', '7d')
    .option('--json', 'print path, link and end as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord share docs/report.pdf
  altered-chord share --for 12h photos/2026/`,
    )
    .action((path: string, options: ShareOptions) =>
      withClient(session, options, async client => {
        const shared = await client.share(path, { for: options.for, signal: session.signal })
        await print(session, options.json ? JSON.stringify(shared) : `${shared.link}  until ${shared.until}`)
      }),
    )
}
