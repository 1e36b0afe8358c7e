/**
 * dufs, a file server of one process in Rust, as something to stand beside.
 */
import { mkdir } from 'node:fs/promises'
import { freePort } from '../../test/e2e/harness.ts'
import { plainServer, startServer } from './process-server.ts'
import type { Server } from './server.ts'

/** Files in a folder, written as they come in. */
export async function openDufs(directory: string): Promise<Server> {
  await mkdir(directory, { recursive: true })
  const port = await freePort()
  const flags = ['--bind', '127.0.0.1', '--port', String(port), '--allow-all', '--log-format', '', directory]
  return plainServer('dufs', port, await startServer('dufs', port, 'dufs', flags, { isSilent: true }))
}
