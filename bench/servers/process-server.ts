/**
 * What all baselines have in common: a process of its own on a free port, which is waited for and ended by its id.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { waitFor } from '../../test/e2e/harness.ts'
import type { Server } from './server.ts'

export interface ServerProcess {
  readonly pid: number
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>
}

/** Starts a program and waits until it answers on its port, whatever it answers. */
export async function startServer(
  what: string,
  port: number,
  command: string,
  flags: readonly string[],
): Promise<ServerProcess> {
  const child: ChildProcess = spawn(command, flags, { stdio: 'inherit' })
  const exited = new Promise<void>(resolve => child.once('close', () => resolve()))
  process.once('exit', () => child.kill('SIGKILL'))
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    )
  await waitFor(answers, { what: `${what} answers` })
  return {
    pid: child.pid as number,
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
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
