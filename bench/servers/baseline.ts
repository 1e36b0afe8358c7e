/**
 * The choice of what we are compared with: nginx where it is installed, else a bare Node HTTP server.
 */
import { openBareNode } from './bare-node.ts'
import { nginxIsInstalled, openNginx } from './nginx.ts'
import type { Server } from './server.ts'

export async function openBaseline(directory: string): Promise<Server> {
  return (await nginxIsInstalled()) ? openNginx(directory) : openBareNode(directory)
}
