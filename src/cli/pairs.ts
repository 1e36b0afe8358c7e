/**
 * The commands for key-value pairs: insert, query, delete.
 */
import type { Command } from 'commander'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session } from './session.ts'

interface PairOptions extends ConnectionOptions {
  readonly json?: boolean
}

export function addPairCommands(program: Command, session: Session): void {
  addInsertCommand(program, session)
  addQueryCommand(program, session)
  addDeleteCommand(program, session)
}

function addInsertCommand(program: Command, session: Session): void {
  const command = program
    .command('insert')
    .summary('store a key-value pair')
    .description(
      'Stores a pair, in place of the one that KEY had. VALUE is a text, or with --json any JSON value.',
    )
    .argument('<key>')
    .argument('<value>')
    .option('--json', 'VALUE is JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord insert "Like a Rolling Stone" node5
  altered-chord insert --json settings '{"color": "blue"}'`,
    )
    .action((key: string, value: string, options: PairOptions) =>
      withClient(session, options, async ({ pairs }) => {
        const call = { signal: session.signal }
        const { status } = options.json
          ? await pairs.insertJson(key, value, call)
          : await pairs.insert(key, value, call)
        await print(session, status)
      }),
    )
}

function addQueryCommand(program: Command, session: Session): void {
  const command = program
    .command('query')
    .summary('print the value of a key, or all pairs')
    .description(
      'Prints the value of KEY: a text as it is, anything else as JSON. For KEY "*", all pairs, a line of JSON for each.',
    )
    .argument('<key>')
    .option('--json', 'print a text as JSON too')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord query "Like a Rolling Stone"
  altered-chord query '*'`,
    )
    .action((key: string, options: PairOptions) =>
      withClient(session, options, async ({ pairs }) => {
        const call = { signal: session.signal }
        if (key === '*') {
          for await (const pair of pairs.all(call)) await print(session, JSON.stringify(pair))
          return
        }
        const value = await pairs.query(key, call)
        await print(session, typeof value === 'string' && !options.json ? value : JSON.stringify(value))
      }),
    )
}

function addDeleteCommand(program: Command, session: Session): void {
  const command = program
    .command('delete')
    .summary('remove a key-value pair')
    .description('Removes the pair of KEY. A key without one is refused.')
    .argument('<key>')
  addConnectionOptions(command).action((key: string, options: ConnectionOptions) =>
    withClient(session, options, async ({ pairs }) => {
      await pairs.delete(key, { signal: session.signal })
      await print(session, 'deleted')
    }),
  )
}
