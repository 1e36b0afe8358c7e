/**
 * Lists of the network, and requests that nobody can serve, while nodes are away, silent or back with an empty disk: a list
 * shows every file once or is refused, and a refusal names who is missing.
 */
import t, { type Test } from 'tap'
import type { Client } from './client.ts'
import { CLUSTER_TIMEOUT_MS, Cluster } from './cluster.ts'
import { waitFor } from './harness.ts'

t.setTimeout(10 * 60_000)

const FILES = Array.from({ length: 30 }, (_, index) => `f/${String(index).padStart(2, '0')}`)

async function listed(client: Client): Promise<string[] | undefined> {
  const reply = await client.send('GET', '/list/f/')
  if (reply.status !== 200) return undefined
  return (reply.json() as { files: { path: string }[] }).files.map(({ path }) => path)
}

/** Waits until a list is answered at all; what it says then is the whole, once. */
async function assertListed(t: Test, client: Client, what: string): Promise<void> {
  let paths: string[] | undefined
  const answers = async () => {
    paths = await listed(client)
    return paths !== undefined
  }
  await waitFor(answers, { what: `a list, ${what}`, timeoutMs: CLUSTER_TIMEOUT_MS, pauseMs: 100 })
  t.same(paths, FILES, what)
}

async function stored(cluster: Cluster): Promise<void> {
  for (const [index, path] of FILES.entries()) {
    const { client } = cluster.node(index % cluster.nodes.length)
    const put = async () => (await client.put(path, Buffer.from('x'))).status < 300
    await waitFor(put, { what: `${path} is stored`, timeoutMs: CLUSTER_TIMEOUT_MS, pauseMs: 100 })
  }
}

t.test('a disk that was lost while another node was away is nowhere twice', async t => {
  const cluster = await Cluster.start({ nodes: 5 })
  t.teardown(() => cluster.close())
  await stored(cluster)
  const [lost, away] = [1, 3]
  await cluster.kill(away)
  await cluster.kill(lost)
  await cluster.restartWiped(lost)
  await cluster.replicated()
  await cluster.restart(away)
  for (const { client, address } of cluster.running) await assertListed(t, client, `at ${address}`)
  const { client } = cluster.node(away)
  const isOnce = async () => {
    const active = (await client.send('GET', '/bootstrapServer/getActiveList')).json() as unknown as string[]
    return active.length === 5 && new Set(active).size === 5
  }
  await waitFor(isOnce, { what: 'one living node an address', timeoutMs: CLUSTER_TIMEOUT_MS, pauseMs: 200 })
})

t.test('a silent node stops no list, though nobody reads or writes', async t => {
  const cluster = await Cluster.start({ nodes: 4 })
  t.teardown(() => cluster.close())
  await stored(cluster)
  cluster.node(3).process.pause()
  for (const index of [0, 1, 2]) await assertListed(t, cluster.node(index).client, `at node ${index}`)
  cluster.node(3).process.resume()
})

t.test('what cannot be served is refused, and names who is missing', async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  await stored(cluster)
  const missing = [1, 2].map(index => cluster.node(index).address).sort()
  cluster.node(1).process.pause()
  cluster.node(2).process.pause()
  const { client } = cluster.node(0)
  for (const [method, url] of [
    ['GET', `/get/${FILES[0]}`],
    ['PUT', `/put/${FILES[0]}?overwrite=true`],
    ['GET', '/list'],
  ] as const) {
    const isNamed = async () => {
      const reply = await client.send(method, url, method === 'PUT' ? { body: Buffer.from('y') } : {})
      const { error } = reply.json() as { error?: { code: string; missing?: string[] } }
      return error?.code === 'UNAVAILABLE' && [...(error.missing ?? [])].sort().join() === missing.join()
    }
    await waitFor(isNamed, {
      what: `${method} ${url} names them`,
      timeoutMs: CLUSTER_TIMEOUT_MS,
      pauseMs: 100,
    })
    t.pass(`${method} ${url}`)
  }
  cluster.node(1).process.resume()
  cluster.node(2).process.resume()
  await cluster.replicated()
  await assertListed(t, client, 'when they are back')
})
