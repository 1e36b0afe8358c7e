/**
 * `altered-chord gossip`: small pairs that spread from node to node and go with their time.
 */
import type { Command } from 'commander'
import type { SpreadPair } from '../client/client.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session, usageError } from './session.ts'

interface GossipOptions extends ConnectionOptions {
  readonly ttl?: string
  readonly json?: boolean
}

export function addGossipCommand(program: Command, session: Session): void {
  const gossip = program
    .command('gossip')
    .summary('spread small pairs that expire')
    .description(
      'Pairs that nodes tell each other in rounds, where they were started with --gossip: hints, which no disk keeps. The node that is ' +
        'asked has a pair at once, and the others after some rounds.',
    )
  addSet(gossip, session)
  addGet(gossip, session)
  addList(gossip, session)
}

function addSet(gossip: Command, session: Session): void {
  const command = gossip
    .command('set')
    .summary('tell a pair')
    .description(
      'Tells a pair, in place of the one that KEY had: a key of up to 64 bytes, a value of up to 512. To take a pair back, set it again ' +
        'with a short --ttl.',
    )
    .argument('<key>')
    .argument('<value>')
    .option('--ttl <seconds>', 'how long it counts, 1 to 86400 (default: that of the node)')
    .option('--json', 'print the pair as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord gossip set color blue --ttl 60`,
    )
    .action((key: string, value: string, options: GossipOptions) =>
      withClient(session, options, async client => {
        const ttl = options.ttl === undefined ? undefined : secondsOf(options.ttl)
        const pair = await client.gossip.set(key, value, { ttl, signal: session.signal })
        await print(session, options.json ? JSON.stringify(pair) : `${pair.key}  for ${seconds(pair)}`)
      }),
    )
}

function addGet(gossip: Command, session: Session): void {
  const command = gossip
    .command('get')
    .summary('print the value of a key')
    .description('Prints the value of KEY, as the node that is asked has heard it.')
    .argument('<key>')
    .option('--json', 'print the pair as JSON')
  addConnectionOptions(command).action((key: string, options: GossipOptions) =>
    withClient(session, options, async client => {
      const pair = await client.gossip.get(key, { signal: session.signal })
      await print(session, options.json ? JSON.stringify(pair) : pair.value)
    }),
  )
}

function addList(gossip: Command, session: Session): void {
  const command = gossip
    .command('list')
    .summary('print all pairs')
    .description('Prints all pairs that the node has heard, with the time that they have left.')
    .option('--json', 'a line of JSON for each pair')
  addConnectionOptions(command).action((options: GossipOptions) =>
    withClient(session, options, async client => {
      for (const pair of await client.gossip.list({ signal: session.signal }))
        await print(
          session,
          options.json
            ? JSON.stringify(pair)
            : `${pair.key}  ${pair.value}  (${seconds(pair)} left, from ${pair.owner})`,
        )
    }),
  )
}

/** The node knows the bounds. */
function secondsOf(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value))
    throw usageError(`--ttl is "${text}", and is a number of seconds.`)
  return value
}

function seconds({ ttl }: SpreadPair): string {
  return `${Math.round(ttl)} s`
}
