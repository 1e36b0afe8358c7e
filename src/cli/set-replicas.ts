/**
 * `altered-chord set replicas N`: another number of copies in a network that runs.
 */
import { type Command, InvalidArgumentError } from 'commander'
import type { StoreClient } from '../client/client.ts'
import { NETWORK_BOUNDS } from '../config.ts'
import { counted } from '../quantity.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { clearLine, note, print, type Session } from './session.ts'

interface SetReplicasOptions extends ConnectionOptions {
  readonly min?: number
  readonly wait: boolean
  readonly json?: boolean
}

/** Between two looks at how far the ranges are, ms. */
const LOOK_MS = 1_000

export function addSetCommand(program: Command, session: Session): void {
  const set = program
    .command('set')
    .summary('change a setting of the whole network')
    .description('Changes a setting of the whole network while it runs.')
  const command = set
    .command('replicas')
    .summary('change how many copies there are of each file')
    .description(
      'Tells every node, and waits until each range has that many copies, or as many as there are nodes. Files can be read\n' +
        'and written meanwhile. Ctrl-C ends the waiting, not the change.',
    )
    .argument(
      '<count>',
      `copies of each file, ${NETWORK_BOUNDS.replicas.min} to ${NETWORK_BOUNDS.replicas.max}`,
      parseCount,
    )
    .option('--min <count>', 'copies without which a write is refused', parseCount)
    .option('--no-wait', 'end as soon as the nodes know it')
    .option('--json', 'print what holds from now on as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord set replicas 5
  altered-chord set replicas 2 --no-wait`,
    )
    .action((count: number, options: SetReplicasOptions) =>
      withClient(session, options, client => setReplicas(session, client, count, options)),
    )
}

async function setReplicas(
  session: Session,
  client: StoreClient,
  count: number,
  { min, wait, json }: SetReplicasOptions,
): Promise<void> {
  const changed = await client.setReplicas(count, { signal: session.signal, min })
  for (const node of changed.missed) note(session, `${node} does not answer; it is told when it is back`)
  if (wait) await waitForCopies(session, client, count)
  const words = `${counted(changed.replicas, 'copy', 'copies')}, ${changed.minReplicas} needed for a write`
  await print(session, json ? JSON.stringify(changed) : words)
}

/** Says how far the ranges are whenever that has changed: on one line on a terminal, else on a line each. */
async function waitForCopies(session: Session, client: StoreClient, count: number): Promise<void> {
  const { env, signal, stderr } = session
  let said = ''
  for (;;) {
    const [{ ranges }, { active }] = await Promise.all([
      client.overlay({ signal }),
      client.activeNodes({ signal }),
    ])
    const copies = Math.min(count, active.length)
    const done = ranges.filter(({ replicas, state }) => replicas.length === copies && state === 'serving')
    const words = `${done.length} of ${ranges.length} ranges have ${counted(copies, 'copy', 'copies')}`
    if (words !== said) stderr.write(stderr.isTTY ? `${clearLine}${words}` : `${words}\n`)
    said = words
    if (done.length === ranges.length) break
    await env.timers.sleep(LOOK_MS, signal)
  }
  if (stderr.isTTY) stderr.write(clearLine)
}

function parseCount(text: string): number {
  const { min, max } = NETWORK_BOUNDS.replicas
  if (/^\d{1,3}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text)
  throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`)
}
