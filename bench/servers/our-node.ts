/**
 * Our own node as a server under load: a real process with the settings that `node start` has by default.
 */

import { compiledProgram } from '../../test/e2e/compiled-program.ts'
import { type NodeProcess, startNode } from '../../test/e2e/harness.ts'
import type { Server } from './server.ts'

export interface OurNode extends Server {
  readonly process: NodeProcess
}

/** Starts a node on a data directory. `nodeFlags` are for profiles. */
export async function openOurNode(
  dataDirectory: string,
  nodeFlags: readonly string[] = profileFlags(),
): Promise<OurNode> {
  const process = await startNode({
    program: ourProgram(),
    dataDirectory,
    nodeFlags,
    flags: ['--log-level', 'warn'],
    readyTimeoutMs: 120_000,
  })
  return {
    name: 'altered-chord',
    process,
    port: process.port,
    pid: process.pid,
    pids: [process.pid],
    ...targets,
    async stop() {
      const { code } = await process.stop()
      if (code !== 0) throw new Error(`the node ended with ${code}:\n${process.output()}`)
    },
  }
}

/**
 * The start.js of what is measured: the program as the package has it.
 * `BENCH_PROGRAM=FOLDER/start.js` measures another one, an earlier state of this repository for example.
 */
export function ourProgram(): string {
  return process.env.BENCH_PROGRAM ?? compiledProgram('start.js')
}

/** The endpoints that take files in and give them out. */
export const targets: Pick<Server, 'putTarget' | 'getTarget' | 'removeTarget'> = {
  putTarget: path => `/put/${path}`,
  getTarget: path => `/get/${path}`,
  removeTarget: path => `/remove/${path}`,
}

/** `BENCH_NODE_FLAGS="--cpu-prof --cpu-prof-dir=/tmp/profiles"` profiles the node of a run. */
export function profileFlags(): string[] {
  return (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter(flag => flag !== '')
}
