/**
 * The floors: what the same work costs on this runtime without a file store around it. Each says in its program what it
 * leaves out.
 */
import { join } from 'node:path'
import { freePort } from '../../test/e2e/harness.ts'
import { plainServer, type ServerProcess, startOwnServer } from './process-server.ts'
import type { Server } from './server.ts'

/** One process that keeps small files in LMDB, on `node:http` or on fastify. */
export async function openOneNodeFloor(kind: 'http' | 'fastify', directory: string): Promise<Server> {
  const port = await freePort()
  const name = `floor: ${kind === 'http' ? 'node:http' : 'fastify'}, SHA-256 and LMDB`
  const flags = [kind, String(port), directory]
  return plainServer(name, port, await startOwnServer(name, port, 'one-node-floor-main.ts', flags))
}

/** A chain of processes that each keep a copy; the first one takes the requests. */
export async function openChainFloor(copies: number, directory: string): Promise<Server> {
  const name = `floor: a chain of ${copies} over bare streams`
  const started: ServerProcess[] = []
  let next: number | undefined
  for (let index = copies - 1; index >= 0; index--) {
    const port = await freePort()
    const flags = [index === 0 ? 'first' : 'other', join(directory, String(index)), String(port)]
    if (next !== undefined) flags.push(String(next))
    started.push(await startOwnServer(name, port, 'chain-floor-main.ts', flags))
    next = port
  }
  const first = started.at(-1) as ServerProcess
  return {
    ...plainServer(name, next as number, first),
    pids: started.map(({ pid }) => pid),
    async stop() {
      for (const process of started.toReversed()) await process.stop()
    },
  }
}
