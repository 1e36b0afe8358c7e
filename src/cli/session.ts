/**
 * What every command is given: its streams, its environment, and the way it reports. Nothing in src/cli touches
 * `process` but main.ts, so that tests run commands in-process.
 */
import { CommanderError } from 'commander'
import type { Env } from '../env.ts'
import { errorCode } from '../errors.ts'
import type { Environment } from '../read-config.ts'

/**
 * Done; refused by the store, or by this machine's disk; a mistake in the command; a defect of this program (the EX_SOFTWARE of
 * sysexits.h), which a supervisor may start again and somebody should report.
 */
export const EXIT_CODES = { done: 0, refused: 1, usage: 2, defect: 70 } as const

export type StopSignal = 'SIGINT' | 'SIGTERM'

/** A stream that people may read: `isTTY` as of process.stdout. */
export type TerminalStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }

export interface Session {
  readonly env: Env
  readonly environment: Environment
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: TerminalStream
  readonly stderr: TerminalStream
  /** Aborts when the user interrupts (Ctrl-C). */
  readonly signal: AbortSignal
  /** Calls back at every SIGINT and SIGTERM, which from then on do not abort `signal` any more. */
  onStopSignal(then: (name: StopSignal) => void): void
  /** Calls back with an error that nobody caught, before the process ends as after a defect. */
  onCrash(then: (error: unknown) => void): void
  /** Ends the process without waiting for anything. */
  exitNow(code: number): void
  /** 0 unless a command says otherwise. */
  exitCode: number
}

/** Writes one line for the user, and waits when the reader is slow. */
export async function print(session: Session, line: string): Promise<void> {
  if (session.stdout.write(`${line}\n`)) return
  await new Promise<void>((resolve, reject) => {
    const done = () => {
      session.stdout.removeListener('error', failed)
      resolve()
    }
    const failed = (error: Error) => {
      session.stdout.removeListener('drain', done)
      reject(error)
    }
    session.stdout.once('drain', done).once('error', failed)
  })
}

/** Takes the line of a progress bar away, which is drawn again below what is written now. */
export const clearLine = '\r\u001b[K'

/** Says on stderr what went wrong or was left out. */
export function note(session: Session, line: string): void {
  session.stderr.write(`${session.stderr.isTTY ? clearLine : ''}${line}\n`)
}

/** Says a failure of one file or request; the command goes on and ends with exit code 1. */
export function noteFailure(session: Session, what: string, error: unknown): void {
  session.exitCode = EXIT_CODES.refused
  note(session, `${what.replace(control, escaped)}: ${describeError(error)}`)
}

// Names of files may hold what moves the cursor of a terminal.
const control = /\p{Cc}/gu

function escaped(character: string): string {
  return `\\x${character.codePointAt(0)?.toString(16).padStart(2, '0')}`
}

/** One sentence for a person, with the code that programs match on. */
export function describeError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const code = errorCode(error)
  if (code === undefined) return message
  const hint = code === 'UNAUTHORIZED' ? ' Give a right one with --token or ALTERED_CHORD_TOKEN.' : ''
  return `${message}${hint} (${code})`
}

/** An error of whoever typed the command: exit code 2. */
export function usageError(message: string): CommanderError {
  return new CommanderError(EXIT_CODES.usage, 'usage', message)
}
