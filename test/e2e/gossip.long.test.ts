/**
 * Real nodes that gossip: one of them crashes, or stands still, or the network is cut, and no client asks for anything; and real nodes that
 * do not gossip, which are silent.
 */
import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Cluster, type ClusterNode, type ClusterOptions } from './cluster.ts'
import { waitFor } from './harness.ts'

t.setTimeout(1_500_000)

/** T_fail by default, ms. */
const FAIL_MS = 10_000

const TIMEOUT_MS = 300_000

async function gossiping(t: Test, options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const cluster = await Cluster.start({ nodes: 5, flags: ['--gossip'], ...options })
  t.teardown(() => cluster.close())
  await believeEachOther(cluster.nodes)
  return cluster
}

/** Asks this node alone, which asks nobody. */
async function activeAt({ client }: ClusterNode): Promise<string[]> {
  return (await client.send('GET', '/bootstrapServer/getActiveList')).json() as unknown as string[]
}

interface GossipOf {
  readonly members: readonly { readonly address: string; readonly belief: string; readonly reason: string }[]
}

async function gossipAt({ client }: ClusterNode): Promise<GossipOf> {
  return ((await client.send('GET', '/status')).json() as { gossip: GossipOf }).gossip
}

/** How often a node has come to believe that, of anybody. */
async function countAt({ client }: ClusterNode, belief: string): Promise<number> {
  const text = (await client.send('GET', '/metrics')).body.toString()
  return Number(
    new RegExp(`^altered_chord_gossip_beliefs_total\\{belief="${belief}"\\} (\\d+)$`, 'm').exec(text)?.[1],
  )
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  await waitFor(isTrue, { what, timeoutMs: TIMEOUT_MS, pauseMs: 250 })
}

/** Every node has these in its list of active nodes and no other. */
async function listsAre(nodes: readonly ClusterNode[], listed: readonly ClusterNode[]): Promise<void> {
  const wanted = listed
    .map(({ address }) => address)
    .sort()
    .join()
  for (const node of nodes)
    await until(`the list of ${node.name}`, async () => (await activeAt(node)).join() === wanted)
}

async function believeEachOther(nodes: readonly ClusterNode[]): Promise<void> {
  for (const node of nodes)
    await until(`what ${node.name} believes`, async () => {
      const { members } = await gossipAt(node)
      return members.length === nodes.length - 1 && members.every(({ belief }) => belief === 'alive')
    })
}

t.test('one is killed: all others drop it, and its ranges are whole again, though nobody asks', async t => {
  const cluster = await gossiping(t)
  for (let i = 0; i < 20; i++)
    t.equal((await cluster.node(i % 5).client.put(`kept/${i}`, `${i}`)).status, 201)
  const killed = cluster.node(3)
  await cluster.kill(3)
  const killedAtMs = performance.now()
  await listsAre(cluster.running, cluster.running)
  t.comment(
    `dropped by all after ${((performance.now() - killedAtMs) / 1000).toFixed(1)} s; T_fail is ${FAIL_MS / 1000} s`,
  )
  for (const node of cluster.running)
    await until(`what ${node.name} believes of the one that was killed`, async () => {
      const { members } = await gossipAt(node)
      const about = members.find(({ address }) => address === killed.address)
      return about?.belief === 'failed' && /no heartbeat for .* do not reach it/.test(about.reason)
    })
  // Nobody has asked for a file yet; this asks every node what it holds.
  await until('no range has it', async () => {
    const { ranges } = (await cluster.node(0).client.send('GET', '/overlay')).json() as unknown as {
      ranges: { state: string; replicas: string[] }[]
    }
    return ranges.every(
      ({ state, replicas }) =>
        state === 'serving' && replicas.length === 3 && !replicas.includes(killed.address),
    )
  })
  t.comment(`whole after ${((performance.now() - killedAtMs) / 1000).toFixed(1)} s`)
  for (let i = 0; i < 20; i++)
    t.equal((await cluster.node(0).client.send('GET', `/get/kept/${i}`)).body.toString(), `${i}`)
  await cluster.restart(3)
  await listsAre(cluster.nodes, cluster.nodes)
  await believeEachOther(cluster.nodes)
  await cluster.replicated()
})

t.test('a pause of less than T_fail: nobody is suspected', async t => {
  const cluster = await gossiping(t)
  const paused = cluster.node(2)
  const before = await Promise.all(cluster.nodes.map(node => countAt(node, 'suspect')))
  paused.process.pause()
  await delay(FAIL_MS / 2)
  paused.process.resume()
  // Longer than anybody would wait who had not heard of it.
  await delay(1.5 * FAIL_MS)
  const failed = await Promise.all(cluster.nodes.map(node => countAt(node, 'failed')))
  t.same(failed, [0, 0, 0, 0, 0])
  t.same(await Promise.all(cluster.nodes.map(node => countAt(node, 'suspect'))), before)
  await listsAre(cluster.nodes, cluster.nodes)
})

t.test('without gossip, idle nodes say nothing for a minute', async t => {
  const cluster = await Cluster.start({ nodes: 5 })
  t.teardown(() => cluster.close())
  const before = await cluster.peerRequests()
  await delay(60_000)
  t.equal(await cluster.peerRequests(), before)
})

t.test('both cores are busy: nobody who lives is dropped', async t => {
  const cluster = await gossiping(t)
  const seconds = Number(process.env.BUSY_SECONDS ?? 45)
  const busy = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  )
  try {
    await delay(seconds * 1000)
  } finally {
    for (const each of busy) each.kill('SIGKILL')
  }
  for (const node of cluster.nodes) {
    t.equal(await countAt(node, 'failed'), 0, node.name)
    t.comment(`${node.name} suspected ${await countAt(node, 'suspect')} times in ${seconds} s`)
  }
  await listsAre(cluster.nodes, cluster.nodes)
})

t.test(
  'cut into halves and back, with clocks hours apart: the lists agree again, and no file is lost',
  async t => {
    const hour = 3_600_000
    const cluster = await gossiping(t, { linked: true, clockOffsetMs: index => (index - 2) * 5 * hour })
    const { links, nodes } = cluster
    for (let i = 0; i < 20; i++)
      t.equal((await cluster.node(i % 5).client.put(`kept/${i}`, `${i}`)).status, 201)
    const left = nodes.slice(0, 2)
    const right = nodes.slice(2)
    for (const one of left)
      for (const other of right) {
        links.cut(one.address, other.address, 'silence')
        links.cut(other.address, one.address, 'silence')
      }
    await listsAre(left, left)
    await listsAre(right, right)
    for (const one of left)
      for (const other of right) {
        links.mend(one.address, other.address)
        links.mend(other.address, one.address)
      }
    const mendedAtMs = performance.now()
    await listsAre(nodes, nodes)
    t.comment(`lists agree ${((performance.now() - mendedAtMs) / 1000).toFixed(1)} s after the cut`)
    await cluster.replicated()
    for (let i = 0; i < 20; i++)
      for (const { client } of nodes)
        t.equal((await client.send('GET', `/get/kept/${i}`)).body.toString(), `${i}`)
  },
)

t.test('what comes without the secret is refused, and drops nobody', async t => {
  const cluster = await gossiping(t, { nodes: 2, flags: ['--gossip', '--secret', 'a-secret-of-the-test'] })
  const { client } = cluster.node(0)
  const forged = { kind: 'gossip', said: { beats: [], doubts: [], pairs: [] } }
  const refused = await client.send('POST', '/peer/call', { body: JSON.stringify(forged) })
  t.ok(refused.status >= 400 && refused.status < 500, `${refused.status} ${refused.body}`)
  await believeEachOther(cluster.nodes)
  t.equal(await countAt(cluster.node(0), 'failed'), 0)
})
