/**
 * The program `altered-chord`: its commands, its exit codes, and its only contact with `process`.
 */
import { Command, CommanderError } from 'commander'
import { realEnv } from '../env.ts'
import { isDefect } from '../invariant.ts'
import { VERSION } from '../version.ts'
import { COMMAND_MODULES, type CommandModule, modulesFor } from './commands.ts'
import { describeError, EXIT_CODES, note, type Session, type StopSignal } from './session.ts'

/** What shells expect of a program that was interrupted: 128 and the number of the signal. */
const EXIT_CODE_INTERRUPTED = 130

/** Runs one command line, without the two first words of process.argv; resolves to the exit code. */
export async function runCli(argv: readonly string[], session: Session): Promise<number> {
  try {
    const program = await buildProgram(session, modulesFor(argv))
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (session.signal.aborted) return EXIT_CODE_INTERRUPTED
    if (error instanceof CommanderError) return exitCodeOf(error, session)
    // A defect is not dressed up as a refusal.
    if (isDefect(error)) throw error
    note(session, describeError(error))
    return EXIT_CODES.refused
  }
  return session.exitCode
}

/** The program with the commands of these modules: all of them, for help and for test/tidy.test.ts. */
export async function buildProgram(
  session: Session,
  modules: readonly CommandModule[] = COMMAND_MODULES,
): Promise<Command> {
  const program = new Command('altered-chord')
    .description('A file store for the machines you have, without a coordinator.')
    .version(VERSION)
    // A --version behind a command is that command's own.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: text => session.stdout.write(text),
      writeErr: text => session.stderr.write(text),
    })
    .configureHelp({
      commandDescription: command => flowing(command.description()),
      subcommandDescription: command => flowing(command.summary() || command.description()),
    })
    .showHelpAfterError('(--help says more)')
    .addHelpText(
      'after',
      `
Examples:
  altered-chord start
  altered-chord put report.pdf docs/report.pdf
  altered-chord list --level
  altered-chord get docs/report.pdf

Exit codes: 0 done, 1 refused (the reason is on standard error), 2 a mistake in the command, 70 a defect of this program.
A node of your own with HTTPS and a private authority: set NODE_EXTRA_CA_CERTS to its certificate.`,
    )
  for (const { load } of modules) (await load())(program, session, runCli)
  return program
}

/** A text whose lines are as long as the source wants them: only a line that ends a sentence ends a paragraph of the help. */
function flowing(text: string): string {
  return text.replace(/(?<![.:])\n(?!\n)/g, ' ')
}

/** Runs the program in this process and ends it: what bin/altered-chord.js and start.js call. */
export async function main(argv: readonly string[]): Promise<void> {
  const interrupt = new AbortController()
  let onStop: (name: StopSignal) => void = name => interrupt.abort(new Error(`interrupted by ${name}`))
  let onCrash: (error: unknown) => void = error => console.error(error)
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => onStop(name))
  const crash = (error: unknown) => {
    onCrash(error)
    process.exit(EXIT_CODES.defect)
  }
  // A rejection that nobody handles comes here, too.
  process.on('uncaughtException', crash)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Who reads the first ten lines of a list and closes the pipe has what they wanted.
    if (error.code === 'EPIPE') process.exit(EXIT_CODES.done)
    console.error(error)
    process.exit(EXIT_CODES.refused)
  })
  const { stdin, stdout, stderr, env: environment } = process
  const code = await runCli(argv, {
    env: realEnv(),
    environment,
    stdin,
    stdout,
    stderr,
    signal: interrupt.signal,
    onStopSignal: then => {
      onStop = then
    },
    onCrash: then => {
      onCrash = then
    },
    exitNow: code => process.exit(code),
    exitCode: EXIT_CODES.done,
  }).catch(crash)
  // An open standard input would keep the process; what was written is let out first.
  await new Promise(resolve => stdout.write('', resolve))
  process.exit(code ?? EXIT_CODES.refused)
}

function exitCodeOf(error: CommanderError, session: Session): number {
  if (error.exitCode === 0) return EXIT_CODES.done
  // commander has printed its own complaints already.
  if (error.code === 'usage') note(session, `error: ${error.message}`)
  return EXIT_CODES.usage
}
