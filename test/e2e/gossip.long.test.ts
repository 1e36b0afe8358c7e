/**
 * Real nodes that gossip: one of them crashes, or stands still, or is lied to, or the network is cut, and no client asks for anything; and real
 * nodes that do not gossip, which are silent.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { datedOf, type PeerCall } from '../../src/calls/calls.ts'
import { byHttp, ringCredentials } from '../../src/calls/ring-peers.ts'
import { realEnv } from '../../src/env.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import { Cluster, type ClusterNode, type ClusterOptions, replicasOf } from './cluster.ts'
import { runNode, waitFor } from './harness.ts'
import { copiedBy } from './pauses.ts'

t.setTimeout(900_000)

/** T_fail of these nodes, ms: half of the default, so that each wait is half as long. */
const FAIL_MS = 5_000

const TIMEOUT_MS = 120_000

/** Nodes that say nothing are watched for so long, ms, while everything else is tried. */
const SILENCE_MS = 60_000

const HOUR_MS = 3_600_000

/** A body that lies in its record, and of which one alone is more than all other bytes that these tests write. */
const BODY_BYTES = 8 * 1024

/** A body so small that many of them are less than one of the others. */
const SMALL_BYTES = 256

const folder = await mkdtemp(join(tmpdir(), 'altered-chord-gossip-'))
t.teardown(() => rm(folder, { recursive: true }))
const settings = join(folder, 'gossip.yaml')
await writeFile(settings, `period: 500ms\nt-fail: ${FAIL_MS}ms\n`)

const silent = await Cluster.start({ nodes: 5 })
t.teardown(() => silent.close())
const saidBefore = await silent.peerRequests()
const silentSinceMs = performance.now()

// Two networks at a time.
t.jobs = 2

async function gossiping(t: Test, options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const flags = ['--gossip', settings, ...(options.flags ?? [])]
  const cluster = await Cluster.start({ nodes: 5, ...options, flags })
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

async function countsAt(nodes: readonly ClusterNode[], belief: string): Promise<number[]> {
  return Promise.all(nodes.map(node => countAt(node, belief)))
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

/** All ranges serve, with three replicas each, and the node is none of them. This asks every node. */
async function wholeWithout(client: ClusterNode['client'], address: string): Promise<boolean> {
  const { ranges } = (await client.send('GET', '/overlay')).json() as unknown as {
    ranges: { state: string; replicas: string[] }[]
  }
  return ranges.every(
    ({ state, replicas }) => state === 'serving' && replicas.length === 3 && !replicas.includes(address),
  )
}

async function put({ client }: ClusterNode, path: string, bytes = BODY_BYTES): Promise<void> {
  const reply = await client.put(path, Buffer.alloc(bytes, `${path} `))
  if (reply.status !== 201) throw new Error(`${path}: ${reply.status} ${reply.body}`)
}

async function isKept({ client }: ClusterNode, path: string, bytes = BODY_BYTES): Promise<boolean> {
  return (await client.send('GET', `/get/${path}`)).body.equals(Buffer.alloc(bytes, `${path} `))
}

function paths(folder: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${folder}/${number}`)
}

/** Copies of these files that belong to some of all nodes. */
function copiesAt(
  files: readonly string[],
  some: readonly ClusterNode[],
  all: readonly ClusterNode[],
): number {
  const addresses = all.map(({ address }) => address)
  const copies = files.flatMap(path => replicasOf(path, addresses))
  return copies.filter(address => some.some(node => node.address === address)).length
}

const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`

t.test('nodes that gossip, with clocks hours apart, while nobody asks', { buffered: true }, async t => {
  const clocks = { clockOffsetMs: (index: number) => (index - 2) * 5 * HOUR_MS }
  const cluster = await gossiping(t, { linked: true, ...clocks })
  const { links, nodes } = cluster
  const kept = paths('kept', 20)
  for (const [index, path] of kept.entries()) await put(cluster.node(index % 5), path)

  await t.test('one stands still for less than T_fail: nobody is dropped', async t => {
    const { process } = cluster.node(2)
    const before = await countsAt(nodes, 'suspect')
    process.pause()
    await delay(FAIL_MS / 2)
    process.resume()
    // Longer than anybody would wait who had not heard of it.
    await delay(1.5 * FAIL_MS)
    t.same(await countsAt(nodes, 'failed'), [0, 0, 0, 0, 0])
    t.same(await countsAt(nodes, 'suspect'), before)
    await listsAre(nodes, nodes)
  })

  await t.test('a clock jumps by a day, and back: nobody is suspected', async t => {
    const before = await countsAt(nodes, 'suspect')
    for (const _ of ['ahead', 'back']) {
      for (const index of [1, 3]) process.kill(cluster.node(index).process.pid, 'SIGUSR2')
      await delay(FAIL_MS / 2)
    }
    t.same(await countsAt(nodes, 'failed'), [0, 0, 0, 0, 0])
    t.same(await countsAt(nodes, 'suspect'), before)
    await listsAre(nodes, nodes)
  })

  await t.test('all processors are busy: nobody who lives is dropped', async t => {
    // Ten minutes by hand, at the default T_fail: BUSY_SECONDS=600.
    const busySeconds = Number(process.env.BUSY_SECONDS ?? (3 * FAIL_MS) / 1000)
    const busy = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
    )
    try {
      await delay(busySeconds * 1000)
    } finally {
      for (const each of busy) each.kill('SIGKILL')
    }
    t.same(await countsAt(nodes, 'failed'), [0, 0, 0, 0, 0])
    t.comment(`suspected in ${busySeconds} s: ${await countsAt(nodes, 'suspect')} times`)
    await listsAre(nodes, nodes)
  })

  await t.test('one is killed: all others drop it, and its ranges are whole again', async t => {
    const { address } = cluster.node(3)
    await cluster.kill(3)
    const killedAtMs = performance.now()
    await listsAre(cluster.running, cluster.running)
    t.comment(`dropped by all after ${seconds(killedAtMs)}; T_fail is ${FAIL_MS / 1000} s`)
    for (const node of cluster.running)
      await until(`what ${node.name} believes of the one that was killed`, async () => {
        const { members } = await gossipAt(node)
        const about = members.find(member => member.address === address)
        return about?.belief === 'failed' && /no heartbeat for .* do not reach it/.test(about.reason)
      })
    // Nobody has asked for a file yet; this asks every node what it holds.
    await until('no range has it', () => wholeWithout(cluster.node(0).client, address))
    t.comment(`whole after ${seconds(killedAtMs)}`)
    for (const path of kept) t.ok(await isKept(cluster.node(0), path), path)
    await cluster.restart(3)
    await listsAre(nodes, nodes)
    await believeEachOther(nodes)
    await cluster.replicated()
  })

  await t.test(
    'cut into halves and back: lists agree, no file is lost, none is copied without need',
    async t => {
      const left = nodes.slice(0, 2)
      const right = nodes.slice(2)
      const between = left.flatMap(one => right.map(other => [one.address, other.address] as const))
      const before = await copiedBy(cluster)
      for (const [one, other] of between) {
        links.cut(one, other, 'silence')
        links.cut(other, one, 'silence')
      }
      await listsAre(left, left)
      await listsAre(right, right)
      // The larger half goes on, with as many replicas as before.
      const larger = right[0] as ClusterNode
      await until('the larger half keeps all', async () =>
        (await Promise.all(left.map(({ address }) => wholeWithout(larger.client, address)))).every(Boolean),
      )
      const during = await copiedBy(cluster)
      const needed = copiesAt(kept, left, nodes) * BODY_BYTES
      t.comment(`copied while cut: ${during.bytes - before.bytes} bytes; ${needed} were at the others alone`)
      t.ok(during.bytes - before.bytes < needed + BODY_BYTES, 'only what the larger half had not got')
      const written = paths('written', 10)
      for (const path of written) await put(larger, path, SMALL_BYTES)

      for (const [one, other] of between) {
        links.mend(one, other)
        links.mend(other, one)
      }
      const mendedAtMs = performance.now()
      await listsAre(nodes, nodes)
      t.comment(`lists agree ${seconds(mendedAtMs)} after the cut`)
      await cluster.replicated()
      const after = await copiedBy(cluster)
      const bytes = after.bytes - during.bytes
      t.comment(`copied after the cut: ${bytes} bytes, with ${written.length} files of ${SMALL_BYTES} bytes`)
      // One node of the other half may be back before the other one, and gets a copy that is for both.
      t.ok(bytes >= copiesAt(written, left, nodes) * SMALL_BYTES, 'what was written meanwhile')
      // Next to nothing of the twenty files that both halves had; on a busy machine one was seen to be copied again.
      t.ok(bytes < 3 * BODY_BYTES, 'hardly a file that both halves had')
      for (const node of nodes) {
        for (const path of kept) t.ok(await isKept(node, path), `${path} at ${node.name}`)
        for (const path of written) t.ok(await isKept(node, path, SMALL_BYTES), `${path} at ${node.name}`)
      }
    },
  )
})

t.test('lies: refused or without effect, and nobody is dropped', { buffered: true }, async t => {
  const secret = 'a-secret-of-the-test'
  const cluster = await gossiping(t, { nodes: 3, flags: ['--secret', secret], isLiedTo: true })
  const { nodes } = cluster
  const { client, address } = cluster.node(0)
  const before = await countsAt(nodes, 'suspect')
  const { networkId, nodes: known } = (await client.send('GET', '/network')).json() as {
    networkId: string
    nodes: { address: string; nodeId: NodeId }[]
  }
  const victim = known.find(node => node.address === cluster.node(1).address)?.nodeId as NodeId
  const say = (call: PeerCall, as: string | undefined) => lie(address, call, { networkId, secret: as })
  const said = { beats: [], doubts: [], pairs: [] }
  const old = { node: victim, boot: 0, seq: 0 }
  const by = known.map(({ nodeId }) => nodeId).filter(node => node !== victim)
  const million = <T>(one: T): T[] => Array.from({ length: 1_000_000 }, () => one)

  await t.test('without the secret', async t => {
    const doubt = { ...old, boot: 1, seq: 1, by }
    for (const as of [undefined, 'another-secret'])
      await t.rejects(say({ kind: 'gossip', said: { ...said, doubts: [doubt] } }, as), {
        code: 'UNAUTHORIZED',
      })
  })

  await t.test('counters that go back', async t => {
    for (let time = 0; time < 20; time++) {
      const lies = { ...said, beats: [old], doubts: [{ ...old, by }] }
      t.ok(await say({ kind: 'gossip', said: lies }, secret))
    }
  })

  await t.test('a list of a million', async t => {
    const lists = [
      { ...said, beats: million(old) },
      { ...said, doubts: [{ ...old, by: million(victim) }] },
    ]
    for (const lies of lists)
      await t.rejects(say({ kind: 'gossip', said: lies }, secret), {
        code: /INVALID_REQUEST|FILE_TOO_LARGE|UNAVAILABLE/,
      })
  })

  await t.test('a time to live of 10^9', async t => {
    const pair = { key: 'color', value: 'blue', version: 1, owner: victim, leftMs: 1e12 }
    await t.rejects(say({ kind: 'gossip', said: { ...said, pairs: [pair] } }, secret), {
      code: 'INVALID_REQUEST',
    })
    const refused = await client.send('PUT', '/gossip/color?ttl=1000000000', { body: 'blue' })
    t.equal(refused.status, 400)
    t.match(refused.json(), { error: { code: 'INVALID_REQUEST', message: 'A TTL is 1 to 86400 seconds.' } })
    const file = join(folder, 'long.yaml')
    await writeFile(file, 'ttl: 1000000000s\n')
    const ended = await runNode({ flags: ['--gossip', file] }, TIMEOUT_MS)
    t.not(ended.code, 0)
    t.match(ended.stderr, /ttl in .*long\.yaml is "1000000000s", and can be 1 s to 1 d/)
  })

  await delay(2 * FAIL_MS)
  await believeEachOther(nodes)
  await listsAre(nodes, nodes)
  t.same(await countsAt(nodes, 'failed'), [0, 0, 0])
  t.same(await countsAt(nodes, 'suspect'), before)
  t.same((await client.send('GET', '/gossip')).json(), { pairs: [] })
})

t.test('without gossip, idle nodes say nothing for a minute', { buffered: true }, async t => {
  await delay(Math.max(0, silentSinceMs + SILENCE_MS - performance.now()))
  t.equal(await silent.peerRequests(), saidBefore)
})

/** Says something as a node that nobody knows. @throws StoreError as the node that is told refuses it. */
async function lie(
  to: string,
  call: PeerCall,
  as: { readonly networkId: string; readonly secret: string | undefined },
): Promise<unknown> {
  const env = realEnv()
  const self = {
    address: '127.0.0.1:1' as Address,
    nodeId: '1'.repeat(32) as NodeId,
    boot: { counter: 1, nonce: '00' },
  }
  const credentials = ringCredentials(env, {
    secret: as.secret,
    networkId: () => as.networkId,
    self: () => self,
  })
  const peers = byHttp(
    { env, credentials },
    {
      scheme: 'http',
      unreachable: () => undefined,
      isMessage: (value): value is never => value === undefined,
      dated: what => datedOf('kind' in what ? what : what[1]),
      messages: () => undefined,
    },
  )
  try {
    return await peers.call(to as Address, call, { timeoutMs: TIMEOUT_MS })
  } finally {
    await peers.close()
  }
}
