/**
 * A session whose streams are memory: what a command prints can be read, what it reads can be given.
 */
import { PassThrough, Readable } from 'node:stream'
import { EXIT_CODES, type Session } from '../../src/cli/session.ts'
import { realEnv } from '../../src/env.ts'

export interface ScriptedSession extends Session {
  /** What was printed so far. */
  out(): string
  err(): string
  interrupt(reason: Error): void
}

export function scriptedSession(
  init: { stdin?: string | Uint8Array; environment?: Record<string, string>; isTTY?: boolean } = {},
): ScriptedSession {
  const controller = new AbortController()
  const [stdout, out] = capture(init.isTTY ?? false)
  const [stderr, err] = capture(init.isTTY ?? false)
  return {
    env: realEnv(),
    environment: init.environment ?? {},
    stdin: Readable.from([Buffer.from(init.stdin ?? '')], { objectMode: false }),
    stdout,
    stderr,
    signal: controller.signal,
    onStopSignal() {},
    onCrash() {},
    exitNow(code) {
      throw new Error(`exit ${code}`)
    },
    exitCode: EXIT_CODES.done,
    out,
    err,
    interrupt: reason => controller.abort(reason),
  }
}

function capture(isTTY: boolean): [PassThrough & { isTTY: boolean; columns: number }, () => string] {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 })
  let text = ''
  stream.on('data', chunk => {
    text += chunk
  })
  return [stream, () => text]
}
