/**
 * The baseline of one hop: a fastify server that asks another one by undici for every answer, 1 KiB of memory. A
 * request that one node passes on to another can't cost less on these parts.
 */
import { freePort } from '../../test/e2e/harness.ts'
import { plainServer, startOwnServer } from './process-server.ts'
import type { Server } from './server.ts'

export async function openBareHop(): Promise<Server> {
  const [backPort, frontPort] = [await freePort(), await freePort()]
  const back = await startOwnServer('the far end', backPort, 'bare-hop-main.ts', [String(backPort)])
  const ports = [String(frontPort), String(backPort)]
  const front = await startOwnServer('the near end', frontPort, 'bare-hop-main.ts', ports)
  return {
    ...plainServer('bare hop', frontPort, front),
    pids: [front.pid, back.pid],
    async stop() {
      await front.stop()
      await back.stop()
    },
  }
}
