/**
 * A node for the length of one test: started on a data directory of the test, stopped at its end, and held to a
 * clean stop.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Client, openClient } from './client.ts'
import { type NodeProcess, type StartOptions, startNode } from './harness.ts'

/** A running node with a client; the test's end closes both. */
export async function openNode(
  t: Test,
  options: StartOptions = {},
): Promise<{ readonly node: NodeProcess; readonly client: Client; readonly dataDirectory: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'altered-chord-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const dataDirectory = options.dataDirectory ?? join(folder, 'data')
  const node = await startNode({ ...options, dataDirectory })
  const client = openClient(node.url)
  t.teardown(async () => {
    await client.close()
    const exit = await node.stop()
    if (exit.code !== 0)
      throw new Error(`the node ended ${JSON.stringify(exit)}; it printed:\n${node.output()}`)
  })
  return { node, client, dataDirectory }
}
