/**
 * What the log of a node looks like: lines for people on a terminal, JSON lines everywhere else. It goes to
 * standard error, so that standard output holds nothing but the one line that says where the node answers.
 */
import { createRequire } from 'node:module'
import { pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from '../config.ts'
import type { Log } from '../env.ts'
import type { TerminalStream } from './session.ts'

export function openNodeLog(stream: TerminalStream, level: LogLevel): Log {
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime }
  if (!stream.isTTY) return pino(options, stream)
  // Loaded where there is a terminal: most nodes have none.
  const { build: prettyStream } = createRequire(import.meta.url)(
    'pino-pretty',
  ) as typeof import('pino-pretty')
  // In this thread and not in a worker: what is logged before a crash must be seen.
  return pino(
    options,
    prettyStream({ destination: stream, colorize: true, translateTime: 'SYS:HH:MM:ss.l', sync: true }),
  )
}
