/**
 * One of five nodes sends the head of each answer and nothing more, and says all the while that it is there: what asks every node
 * waits for it once, goes round it or says which node it was; and when it goes on, everything does.
 */
import t from 'tap'
import type { Reply } from './client.ts'
import { Cluster, type ClusterNode } from './cluster.ts'
import { waitFor } from './harness.ts'

t.setTimeout(600_000)

/** Files below `kept/` in a list. */
function kept(list: Reply): number {
  const { files } = list.json() as unknown as { files: { path: string }[] }
  return files.filter(({ path }) => path.startsWith('kept/')).length
}

const PRELOAD = new URL('./hang-preload.js', import.meta.url).href

for (const consistency of ['chain', 'eventual'])
  t.test(`who asks all nodes while one hangs, with ${consistency} consistency`, async t => {
    const flags = consistency === 'eventual' ? ['--consistency', 'eventual'] : []
    const cluster = await Cluster.start({ nodes: 5, nodeFlags: ['--import', PRELOAD], flags })
    t.teardown(() => cluster.close())
    const { client } = cluster.node(0)
    for (let number = 0; number < 30; number++)
      t.equal((await client.put(`kept/${number}`, `body ${number}`)).status, 201)
    await waitFor(async () => (await client.send('GET', '/list')).status === 200, { what: 'a whole list' })
    // What was put at one node has reached the others.
    await cluster.quiet()
    const hanging = cluster.node(4)
    process.kill(hanging.process.pid, 'SIGUSR2')
    const asks = Array.from({ length: 12 }, () => client.send('GET', '/list'))
    for (const list of await Promise.all(asks)) {
      t.equal(list.status, 200, 'another replica lists what it is the head of')
      t.equal(kept(list), 30)
    }
    const overlay = await client.send('GET', '/overlay')
    t.equal(overlay.status, 200)
    const verified = await client.send('POST', '/verify')
    t.equal(verified.status, 200, 'a check reads what can be read')
    t.ok(verified.body.toString().includes(hanging.address), 'and names the one that does not answer')
    // Nobody takes its place, so the check waits for no repair of its ranges.
    t.match(verified.body.toString(), /"done":true/)
    t.equal((await client.put('kept/more', 'x')).status, 201, 'writes go on')

    // Of some ranges the head and the tail hang now: such a list can't be whole.
    const others = [cluster.node(2), cluster.node(3)]
    for (const { process: one } of others) process.kill(one.pid, 'SIGUSR2')
    if (consistency === 'chain') {
      const lacking = await client.send('GET', '/list')
      t.equal(lacking.status, 503)
      const { error } = lacking.json() as unknown as { error: { code: string; missing: string[] } }
      t.equal(error.code, 'UNAVAILABLE')
      t.same(error.missing.sort(), [hanging, ...others].map(({ address }) => address).sort())
    }
    for (const { process: one } of [hanging, ...others]) process.kill(one.pid, 'SIGUSR2')
    await waitFor(async () => (await client.send('GET', '/list')).status === 200, {
      what: 'a whole list once the nodes go on',
      timeoutMs: 60_000,
    })
    t.equal((await client.list('kept/')).length, 31)
  })

t.test('a body that stops in the middle comes from another replica', async t => {
  const environments = Object.fromEntries([0, 1, 2, 3, 4].map(index => [index, { TEST_HANG: 'bodies' }]))
  const cluster = await Cluster.start({ nodes: 5, nodeFlags: ['--import', PRELOAD], environments })
  t.teardown(() => cluster.close())
  const large = Buffer.alloc(12_000_000, 'large ')
  const put = await cluster.node(0).client.put('large', large)
  t.equal(put.status, 201)
  const { replicas } = put.json() as unknown as { replicas: string[] }
  const placeOf = (address?: string) => cluster.nodes.findIndex(node => node.address === address)
  const entry = cluster.nodes.find(({ address }) => !replicas.includes(address)) as ClusterNode
  process.kill(cluster.node(placeOf(replicas[0])).process.pid, 'SIGUSR2')
  const get = async () => (await entry.client.send('GET', '/get/large')).body
  t.ok((await get()).equals(large), 'through a node without it')
  for (const name of ['one', 'two', 'three', 'four'])
    t.equal((await entry.client.send('POST', `/copy/large/${name}`)).status, 201, 'whoever keeps the copy')
  const gone = replicas[2]
  await cluster.kill(placeOf(gone))
  await cluster.replicated()
  const { replicas: now } = (
    await entry.client.put('large', large, { query: '?overwrite=true' })
  ).json() as unknown as {
    replicas: string[]
  }
  t.notOk(now.includes(gone as string))
  t.ok((await get()).equals(large), 'from whoever has taken its place')
})

t.test('a node that stands still in the middle of an answer is gone round', async t => {
  const cluster = await Cluster.start({
    nodes: 5,
    nodeFlags: ['--import', PRELOAD],
    environments: { 4: { TEST_HANG: 'stop' } },
  })
  t.teardown(() => cluster.close())
  const { client } = cluster.node(0)
  for (let number = 0; number < 30; number++) await client.put(`kept/${number}`, `body ${number}`)
  const { process: silent } = cluster.node(4)
  t.teardown(() => silent.resume())
  process.kill(silent.pid, 'SIGUSR2')
  await waitFor(async () => (await client.send('GET', '/list')).status === 200, { what: 'a whole list' })
  t.equal((await client.list('kept/')).length, 30)
})
