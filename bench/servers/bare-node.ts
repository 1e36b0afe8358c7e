/**
 * Owns the baseline for machines without nginx: a bare Node HTTP server that keeps small files in memory and large ones
 * in files, and syncs nothing. It does as little as a Node program can.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePort, waitFor } from '../../test/e2e/harness.ts'
import type { Server } from './server.ts'

export async function openBareNode(directory: string): Promise<Server> {
  const port = await freePort()
  const program = fileURLToPath(new URL('bare-node-main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', program, String(port), directory], {
    stdio: 'inherit',
  })
  const exited = new Promise<void>(resolve => child.once('close', () => resolve()))
  process.once('exit', () => child.kill('SIGKILL'))
  await waitFor(
    () =>
      fetch(`http://127.0.0.1:${port}/`)
        .then(() => true)
        .catch(() => false),
    {
      what: 'the bare Node server answers',
    },
  )
  return {
    name: 'bare Node',
    port,
    pid: child.pid as number,
    putTarget: path => `/${path}`,
    getTarget: path => `/${path}`,
    removeTarget: path => `/${path}`,
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
