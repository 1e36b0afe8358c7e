/**
 * Many whole nodes in one process (40, or as many as NODES says), in memory, with real sockets between them: how many connections they
 * keep while they work; that none is left, and nothing is sent, while nobody asks for anything.
 */
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { StoreNode } from '../../src/node.ts'
import { readNodeConfig } from '../../src/read-config.ts'
import { waitFor } from './harness.ts'

const NODES = Number(process.env.NODES ?? 40)

/** Both ends of every connection of this process. */
function sockets(): Socket[] {
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles()
  // Those of a network alone: what a test says goes over sockets, too.
  return handles.filter(
    (handle): handle is Socket =>
      (handle as Socket | null)?.constructor?.name === 'Socket' &&
      (handle as Socket).remotePort !== undefined,
  )
}

const connections = () => sockets().filter(socket => (socket as { server?: unknown }).server != null).length

const bytesWritten = () => sockets().reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)

t.test('connections of many nodes come with work and go without', { timeout: 1_800_000 }, async t => {
  const nodes: StoreNode[] = []
  t.teardown(() => Promise.all(nodes.map(node => node.stop())))
  const urls: string[] = []
  const began = performance.now()
  for (let index = 0; index < NODES; index++) {
    // On a busy machine this one process may take minutes to come round to an answer.
    const limits = { joinTimeout: '10m', logLevel: 'error' }
    const flags = { port: '0', boot: urls[0] ?? '0', memory: true, virtualNodes: '1', ...limits }
    const node = new StoreNode({ env: realEnv() }, readNodeConfig(flags, {}))
    nodes.push(node)
    urls.push(await node.start())
    if (index % 20 === 19)
      t.comment(
        `${index + 1} nodes after ${Math.round((performance.now() - began) / 1000)} s, ${connections()} connections`,
      )
  }
  for (let file = 0; file < NODES; file++) {
    const reply = await fetch(`${urls[file % NODES]}/put/many/${file}`, { method: 'PUT', body: 'x' })
    t.equal(reply.status, 201)
    await reply.arrayBuffer()
  }
  const busy = connections()
  const busyBytes = process.memoryUsage()
  t.comment(
    `after ${NODES} puts: ${busy} connections, ${(busy / NODES).toFixed(1)} a node, rss ${busyBytes.rss}`,
  )

  // Those between clients and nodes end after seconds, links after a minute without a message.
  await waitFor(() => connections() === 0, {
    what: 'no connection is left',
    timeoutMs: 400_000,
    pauseMs: 1000,
  })
  globalThis.gc?.()
  const idleBytes = process.memoryUsage()
  t.comment(
    `idle: ${connections()} connections, rss ${idleBytes.rss}, heap ${idleBytes.heapUsed}; busy heap ${busyBytes.heapUsed}`,
  )
  const before = bytesWritten()
  await delay(10_000)
  t.equal(connections(), 0, 'nobody opens one')
  t.equal(bytesWritten(), before, 'nothing is sent')
})
