/**
 * A node that runs inside the test's own process, on a free port, and ends with the test.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { type Env, realEnv } from '../src/env.ts'
import { StoreNode } from '../src/node.ts'
import type { ProtocolVersion } from '../src/peer/protocol.ts'
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
  init: { readonly speaks?: ProtocolVersion } = {},
): Promise<RunningNode> {
  const place = flags.data === undefined ? { memory: true } : {}
  const node = new StoreNode({ env }, readNodeConfig({ port: '0', boot: '0', ...place, ...flags }, {}), init)
  t.teardown(() => node.stop())
  return { node, url: await node.start() }
}

/** Nodes of one network, in the order of their start, settled: every range is where it belongs. */
export async function runningNetwork(
  t: { teardown(end: () => unknown): unknown },
  count: number,
  data?: string,
  flags: Flags = {},
): Promise<RunningNode[]> {
  const nodes: RunningNode[] = []
  for (let index = 0; index < count; index++) {
    const place = data === undefined ? {} : { data: `${data}-${index}` }
    const boot = nodes[0] === undefined ? '0' : nodes[0].url
    nodes.push(await runningNode(t, { ...place, boot, ...flags }))
  }
  await settled(nodes.map(({ url }) => url))
  return nodes
}

/** Waits until every node sees a ring in which each range has all the replicas that there can be, and serves. */
export async function settled(urls: readonly string[]): Promise<void> {
  for (;;) {
    const seen = await Promise.all(urls.map(url => isSettled(url, urls.length)))
    if (seen.every(Boolean)) return
    await delay(50)
  }
}

async function isSettled(url: string, nodes: number): Promise<boolean> {
  const network = (await (await fetch(`${url}/network`)).json()) as { replicas: number; virtualNodes: number }
  const { ranges } = (await (await fetch(`${url}/overlay`)).json()) as {
    ranges: { state: string; replicas: string[] }[]
  }
  const copies = Math.min(nodes, network.replicas)
  return (
    ranges.length >= nodes * network.virtualNodes &&
    ranges.every(({ state, replicas }) => state === 'serving' && replicas.length === copies)
  )
}
