import t, { type Test } from 'tap'
import { AllNodes } from '../../src/operations/all-nodes.ts'
import { type Address, identifierOfPath, type NodeId } from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import type { RingNode } from '../../src/ring-node/ring-node.ts'
import type { ViewId } from '../../src/views/view.ts'
import { runningNode } from '../running-node.ts'
import { bodyOf } from '../storage/conformance.ts'

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 120_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`It never came to be: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** Nodes in this process that speak HTTP to each other. */
async function network(t: Test, size: number) {
  const nodes: { url: string; ring: RingNode; stop: () => Promise<void> }[] = []
  for (let i = 0; i < size; i++) {
    const boot = nodes[0] === undefined ? '0' : new URL(nodes[0].url).host
    const { node, url } = await runningNode(t, { boot: [boot] as never })
    nodes.push({ url, ring: node.ringForTests as RingNode, stop: () => node.stop() })
  }
  return nodes
}

/** Every range of every node has this many replicas and is served. */
function isSettled(rings: readonly RingNode[], copies: number): boolean {
  return rings.every(({ driver: { known } }) =>
    known
      .held()
      .every(
        ({ view, active, sealed, next }) =>
          (sealed && next !== undefined) || (active && !sealed && view.replicas.length === copies),
      ),
  )
}

const put = (url: string, path: string, body: Uint8Array | string, query = '') =>
  fetch(`${url}/put/${path}${query}`, { method: 'PUT', body: body as never })

t.test('three nodes keep what any of them was given, and two go on without the third', async t => {
  const nodes = await network(t, 3)
  const [a, b, c] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]]
  const rings = nodes.map(({ ring }) => ring)
  await until(() => isSettled(rings, 3), 'three copies of everything')
  const big = bodyOf(3_000_000)
  t.equal((await put(a.url, 'small', 'x')).status, 201)
  t.equal((await put(b.url, 'big', big)).status, 201)
  t.equal((await put(c.url, 'small', 'y')).status, 409, 'create-only, whichever node is asked')
  for (const { url, ring } of nodes) {
    t.equal(await (await fetch(`${url}/get/small`)).text(), 'x')
    t.ok(Buffer.from(await (await fetch(`${url}/get/big`)).arrayBuffer()).equals(big))
    t.same(
      ((await (await fetch(`${url}/list`)).json()) as { entries?: unknown[] }).entries?.length ??
        (await ring.replication.list({ prefix: '', limit: 10 })).length,
      2,
    )
  }
  await t.rejects(
    c.ring.call(
      {} as never,
      { kind: 'has-body', blobId: '../../etc/passwd' as never },
      new AbortController().signal,
    ),
    { code: 'INVALID_REQUEST' },
  )

  await c.stop()
  await until(
    async () => (await put(a.url, `w${Math.random()}`, 'z')).status === 201,
    'writes without the third',
  )
  t.equal(await (await fetch(`${b.url}/get/small`)).text(), 'x')
  t.ok(Buffer.from(await (await fetch(`${a.url}/get/big`)).arrayBuffer()).equals(big))
  t.equal((await put(b.url, 'small', 'new', '?overwrite=true')).status, 200)
  t.equal(await (await fetch(`${a.url}/get/small`)).text(), 'new')
})

t.test('a lookup ends at a node that is responsible, and every node finds the same', async t => {
  const nodes = await network(t, 2)
  const rings = nodes.map(({ ring }) => ring)
  await until(() => isSettled(rings, 2), 'no view is changing')
  const key = identifierOfPath(parsePathName('x'))
  const [first, second] = await Promise.all(nodes.map(({ ring }) => ring.lookup(key)))
  t.equal(first?.view.id, second?.view.id)
  t.ok(first?.view.replicas.includes(nodes[0]?.ring.members.self.nodeId as never))
})

t.test('nodes that join at the same moment come to know each other', async t => {
  // As if each had told the others of itself before they could hear it.
  t.intercept(AllNodes.prototype, 'announce', { value: async () => undefined })
  const first = await runningNode(t, { boot: ['0'] as never })
  const boot = [new URL(first.url).host] as never
  const others = await Promise.all(Array.from({ length: 3 }, () => runningNode(t, { boot })))
  const rings = [first, ...others].map(({ node }) => node.ringForTests as RingNode)
  await until(
    () => isSettled(rings, 3) && rings.every(({ members }) => members.alive().length === 4),
    'three copies of everything, and each knows all',
  )
})

t.test('a node that joins is known to all, in one network', async t => {
  const nodes = await network(t, 3)
  await until(() => nodes.every(({ ring }) => ring.members.alive().length === 3), 'three are known')
  t.equal(new Set(nodes.map(({ ring }) => ring.network.networkId)).size, 1)
})

t.test('a node that some take for dead hears of it, and says to all that it is not', async t => {
  const nodes = await network(t, 4)
  const rings = nodes.map(({ ring }) => ring)
  await until(() => isSettled(rings, 3), 'no view is changing')
  const [alive, doubter] = rings as [RingNode, RingNode]
  const { self } = alive.members
  doubter.members.learn([{ ...self, status: 'dead' }])
  const known = () => rings.map(({ members }) => members.map.record(self.nodeId))
  await until(
    () => known().every(record => record?.status === 'alive' && record.incarnation > self.incarnation),
    'every node knows that it is alive',
  )
  await until(() => isSettled(rings, 3), 'three copies of everything')
})

t.test('what is asked of a node whose address nobody knows fails at once', async t => {
  const [{ ring }] = (await network(t, 1)) as [Awaited<ReturnType<typeof network>>[0]]
  const stranger = 'e'.repeat(32) as NodeId
  const own = ring.lookup(identifierOfPath(parsePathName('x')))
  const { view } = await own
  const taught = { ...view, id: '9-x-0' as ViewId, epoch: 9, replicas: [stranger], acceptors: [stranger] }
  ring.messages(
    { address: 'x:1' as Address, nodeId: 'd'.repeat(32) as NodeId, boot: { counter: 1, nonce: 'a' } },
    [[ring.members.self.nodeId, { kind: 'teach', views: [taught] }]],
  )
  void ring.driver.request({ kind: 'get', path: parsePathName('x') })
  await until(() => ring.driver.known.isSuspect(stranger), 'the stranger counts as dead')
})

t.test('a node that comes with an empty disk takes the place of the one it was', async t => {
  const [a, b] = (await network(t, 2)) as Awaited<ReturnType<typeof network>>
  if (a === undefined || b === undefined) throw new Error('two nodes')
  const before = b.ring.members.self
  await b.stop()
  const { port, host } = new URL(b.url)
  const boot = new URL(a.url).host
  const { node } = await runningNode(t, { port, boot: [boot] as never })
  const after = (node.ringForTests as RingNode).members.self
  t.equal(after.address, host)
  t.not(after.nodeId, before.nodeId)
  t.equal(a.ring.members.map.record(before.nodeId)?.status, 'dead')
  await until(() => isSettled([a.ring, node.ringForTests as RingNode], 2), 'the new one has everything')
})
