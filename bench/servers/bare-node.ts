/**
 * The baseline for machines without nginx: a bare Node HTTP server that keeps small files in memory and large ones
 * in files, and syncs nothing. It does as little as a Node program can.
 */
import { freePort } from '../../test/e2e/harness.ts'
import { plainServer, startOwnServer } from './process-server.ts'
import type { Server } from './server.ts'

export async function openBareNode(directory: string): Promise<Server> {
  const port = await freePort()
  const name = 'bare Node'
  const started = await startOwnServer(name, port, 'bare-node-main.ts', [String(port), directory])
  return plainServer(name, port, started)
}
