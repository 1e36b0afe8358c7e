import { join } from 'node:path'
import t from 'tap'
import { waitFor } from '../e2e/harness.ts'
import { type RunningNode, runningNetwork, runningNode, settled } from '../running-node.ts'

const WAIT_MS = 120_000

t.setTimeout(600_000)

async function json(url: string, init?: RequestInit): Promise<Record<string, unknown>> {
  const reply = await fetch(url, init)
  return { status: reply.status, ...((await reply.json()) as object) }
}

const change = (url: string, query: string) => json(`${url}/replicas?${query}`, { method: 'POST' })

/** A client that writes and reads without a pause, at one node after the other; what it was refused is kept. */
function load(urls: readonly string[]) {
  const refused: string[] = []
  const written: string[] = []
  let stopping = false
  const run = (async () => {
    while (!stopping) {
      const url = urls[written.length % urls.length]
      const path = `load/${written.length}`
      const put = await fetch(`${url}/put/${path}`, { method: 'PUT', body: path })
      if (!put.ok) refused.push(`put ${put.status} ${await put.text()}`)
      else await put.arrayBuffer()
      written.push(path)
      const read = written[Math.floor(written.length / 2)] as string
      const got = await fetch(`${url}/get/${read}`)
      const text = await got.text()
      if (text !== read) refused.push(`get ${got.status} ${text}`)
    }
  })()
  return {
    written,
    refused,
    async stop() {
      stopping = true
      await run
    },
  }
}

t.test('a network goes from three copies to five and to two while it is written and read', async t => {
  const nodes = await runningNetwork(t, 5)
  const urls = nodes.map(({ url }) => url)
  const client = load(urls)
  for (const [count, minReplicas, revision] of [
    [5, 2, 1],
    [2, 2, 2],
    [1, 1, 3],
    [3, 2, 4],
  ] as const) {
    const before = client.written.length
    const changed = await change(urls[count % 5] as string, `count=${count}`)
    t.match(changed, { status: 200, replicas: count, minReplicas, revision, missed: [] })
    for (const url of urls) t.match(await json(`${url}/network`), { replicas: count, minReplicas, revision })
    await settled(urls)
    await waitFor(async () => client.written.length > before + 5, {
      what: 'writes go on',
      timeoutMs: WAIT_MS,
    })
  }
  await client.stop()
  t.same(client.refused, [], 'nothing was refused meanwhile')
  for (const path of client.written.slice(-20))
    for (const url of urls) t.equal(await (await fetch(`${url}/get/${path}`)).text(), path)
})

t.test('what nobody can want is refused', async t => {
  const [{ url }] = (await runningNetwork(t, 1)) as [RunningNode]
  for (const query of ['', 'count=0', 'count=16', 'count=x', 'count=2&min=3', 'count=2&min=0', 'other=1'])
    t.match(await change(url, query), { status: 400, error: { code: 'INVALID_REQUEST' } }, query)
  t.match(await json(`${url}/network`), { replicas: 3 })
})

t.test('a node that was away is told when it is back, and keeps it', async t => {
  const folder = t.testdir({})
  const nodes = await runningNetwork(t, 3, join(folder, 'node'))
  const urls = () => nodes.map(({ url }) => url)
  const away = nodes[2] as RunningNode
  const port = new URL(away.url).port
  await away.node.stop()
  t.match(await change(nodes[0]?.url as string, 'count=2'), { status: 200, replicas: 2, revision: 1 })
  const again = () => runningNode(t, { port, boot: port, data: `${join(folder, 'node')}-2` })
  nodes[2] = await again()
  const knows = async () => {
    const network = await json(`${nodes[2]?.url}/network`)
    return network.replicas === 2 && network.revision === 1
  }
  await waitFor(knows, { what: 'it is told', timeoutMs: WAIT_MS })
  await settled(urls())
  await nodes[2]?.node.stop()
  nodes[2] = await again()
  t.ok(await knows(), 'it remembers')
})

t.test('of two changes at once all nodes keep the same one', async t => {
  const nodes = await runningNetwork(t, 3)
  const urls = nodes.map(({ url }) => url) as [string, string, string]
  const answers = await Promise.all([change(urls[0], 'count=2'), change(urls[1], 'count=1')])
  t.ok(answers.some(({ status }) => status === 200))
  const same = async () => {
    const all = await Promise.all(urls.map(url => json(`${url}/network`)))
    return new Set(all.map(({ replicas, revision }) => `${replicas} ${revision}`)).size === 1
  }
  await waitFor(same, { what: 'all agree', timeoutMs: WAIT_MS })
  await settled(urls)
})
