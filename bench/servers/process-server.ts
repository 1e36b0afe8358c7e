/**
 * What all baselines have in common: a process of its own on a free port, which is waited for and ended by its id.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { waitFor } from '../../test/e2e/harness.ts'
import type { Server } from './server.ts'

/** Generous: several servers start at once beside each other. */
const START_TIMEOUT_MS = 60_000

export interface ServerProcess {
  readonly pid: number
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>
}

/** How a program is started beside its command line. */
export interface ProcessOptions {
  /** Where it runs, which is where some programs put files. */
  readonly directory?: string
  /** A program that says much says it into the void. */
  readonly isSilent?: boolean
  /** Beside the variables of this process. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Starts a program and waits until its port takes connections. @throws Error when it ends before that. */
export async function startServer(
  what: string,
  port: number,
  command: string,
  flags: readonly string[],
  { directory, isSilent = false, environment }: ProcessOptions = {},
): Promise<ServerProcess> {
  const child: ChildProcess = spawn(command, flags, {
    stdio: isSilent ? 'ignore' : 'inherit',
    ...(directory !== undefined && { cwd: directory }),
    ...(environment !== undefined && { env: { ...process.env, ...environment } }),
  })
  let hasEnded = false
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => {
      hasEnded = true
      resolve()
    })
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const answers = () => {
    if (hasEnded) throw new Error(`${what} ended with ${child.exitCode} before it answered`)
    return takesConnections(port)
  }
  await Promise.race([
    waitFor(answers, { what: `${what} takes connections`, timeoutMs: START_TIMEOUT_MS }),
    exited.then(() => waitFor(answers, { what })),
  ])
  return {
    pid: child.pid as number,
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/** A program of this folder, as a process: `NAME.ts ARGUMENTS`. */
export function startOwnServer(
  what: string,
  port: number,
  file: string,
  programArguments: readonly string[],
): Promise<ServerProcess> {
  const program = fileURLToPath(new URL(file, import.meta.url))
  return startServer(what, port, process.execPath, ['--import', 'tsx', program, ...programArguments])
}

/** A baseline that keeps files under their plain paths. */
export function plainServer(name: string, port: number, { pid, stop }: ServerProcess): Server {
  const target = (path: string) => `/${path}`
  return { name, port, pid, pids: [pid], stop, putTarget: target, getTarget: target, removeTarget: target }
}
