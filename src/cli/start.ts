/**
 * `altered-chord start`: one node from its flags to its end.
 */
import { setFlagsFromString } from 'node:v8'
import { type Command, Option } from 'commander'
import type { NodeConfig } from '../config.ts'
import { type Log, realEnv } from '../env.ts'
import { errorCode } from '../errors.ts'
import { logDefect } from '../invariant.ts'
import type { StoreNode } from '../node.ts'
import { type Flags, readNodeConfig } from '../read-config.ts'
import { SETTINGS, type Setting } from '../settings.ts'
import { openNodeLog } from './node-log.ts'
import { EXIT_CODES, print, type Session, usageError } from './session.ts'

/**
 * How far the heap of a node grows between two full collections, percent of what is in use, some 26 MiB. V8 counts the
 * bytes of buffers towards the next one, but sets the limit by its objects alone, of which a node has few: with bodies
 * streaming through, it marked the whole heap for every 12 MiB of them, and spent more on that than on the bytes
 * (docs/decisions/0111-heaps-grow-by-twice-what-is-in-use.md).
 */
const HEAP_GROWTH_PERCENT = 200

export function addStartCommand(program: Command, session: Session): void {
  const command = program
    .command('start')
    .summary('run a node')
    .description(
      'Runs a node until Ctrl-C, SIGINT or SIGTERM. Without options: a new network on this machine, port 5000.\n' +
        'On another port it joins the network of port 5000, unless -b names another node. A node that has a network\n' +
        'in its data directory resumes in that one, and -b says where one of its nodes lives by now.',
    )
  for (const setting of Object.values(SETTINGS) as Setting[]) command.addOption(optionOf(setting))
  command
    .addHelpText(
      'after',
      `
Every option is also a variable: --max-file-size is ALTERED_CHORD_MAX_FILE_SIZE. A flag beats a variable. Secrets can
come from files, for example ALTERED_CHORD_TOKEN_FILE=/run/secrets/token.

Examples:
  altered-chord start
  altered-chord start -p 5001 -b 5000
  altered-chord start --host 0.0.0.0 --advertise files2.example:5000 -b files1.example:5000
  altered-chord start --data /srv/files --max-file-size 4GiB
  altered-chord start --host 0.0.0.0 --secret "$SECRET" --token "$TOKEN"`,
    )
    .action((flags: Flags) => start(session, flags))
}

/** A setting as commander wants it; its default is applied by read-config.ts, after the environment was asked. */
function optionOf(setting: Setting): Option {
  const option = new Option(
    setting.flag,
    `${setting.meaning} (${setting.bounds}; default ${setting.default})`,
  )
  option.helpGroup(`${setting.group}:`)
  if (setting.repeatable) {
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
  }
  return option
}

async function start(session: Session, flags: Flags): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
  // All files of a node are its own, whatever the machine's umask.
  process.umask(0o077)
  const config = configOf(session, flags)
  const log = openNodeLog(session.stderr, config.logLevel)
  // Only here: the other commands come up in half the time without a server and a database.
  const { StoreNode } = await import('../node.ts')
  const node = new StoreNode({ env: realEnv(log) }, config)
  session.onCrash(error => logDefect({ log }, { error, event: 'uncaught' }))
  void node.ended.then(end => {
    if (end === 'broken') session.exitNow(EXIT_CODES.defect)
  })
  const stopping = stopAtSignal(session, node, log)
  try {
    const url = await node.start()
    const place = config.dataDirectory ?? 'memory only'
    await print(session, `altered-chord answers at ${url} and keeps files in ${place}`)
    const end = await Promise.race([node.ended, stopping.failed])
    if (end === 'departed') await print(session, 'departed: the other nodes have everything')
    if (end === 'halted') session.exitCode = EXIT_CODES.refused
  } catch (error) {
    await node.stop()
    // Whoever ends a node that is still starting has what they wanted.
    if (stopping.begun()) return
    if (errorCode(error) === 'INVALID_REQUEST') throw usageError((error as Error).message)
    throw error
  }
}

function configOf(session: Session, flags: Flags): NodeConfig {
  try {
    return readNodeConfig(flags, session.environment)
  } catch (error) {
    if (errorCode(error) === 'INVALID_REQUEST') throw usageError((error as Error).message)
    throw error
  }
}

/** Stops the node at a signal; a second signal ends the process there and then. */
function stopAtSignal(
  session: Session,
  node: StoreNode,
  log: Log,
): { readonly begun: () => boolean; readonly failed: Promise<never> } {
  let begun = false
  const failed = new Promise<never>((_resolve, reject) => {
    session.onStopSignal(name => {
      if (begun) session.exitNow(EXIT_CODES.refused)
      begun = true
      log.info(
        { op: 'stop', signal: name },
        'stopping once running requests have ended; again to stop at once',
      )
      node.stop().catch(reject)
    })
  })
  // It may fail while nobody waits for it yet.
  failed.catch(() => undefined)
  return { begun: () => begun, failed }
}
