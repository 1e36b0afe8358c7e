/**
 * Owns a node that runs inside the test's own process, on a free port, and ends with the test.
 */
import { type Env, realEnv } from '../src/env.ts'
import { StoreNode } from '../src/node.ts'
import { type Flags, readNodeConfig } from '../src/read-config.ts'

export interface RunningNode {
  readonly node: StoreNode
  readonly url: string
}

/** In memory unless `flags` name a folder. */
export async function runningNode(
  t: { teardown(end: () => unknown): unknown },
  flags: Flags = {},
  env: Env = realEnv(),
): Promise<RunningNode> {
  const place = flags.data === undefined ? { memory: true } : {}
  const node = new StoreNode({ env }, readNodeConfig({ port: '0', boot: '0', ...place, ...flags }, {}))
  t.teardown(() => node.stop())
  return { node, url: await node.start() }
}
