import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { runningNetwork, runningNode } from '../running-node.ts'
import { codeOf, runServer } from './running-server.ts'

t.setTimeout(300_000)

const gossiping = { gossip: true } as const

t.test('where gossip is off, its endpoints say how it is switched on', async t => {
  const { server } = await runServer(t)
  for (const [method, url] of [
    ['GET', '/gossip'],
    ['GET', '/gossip/a'],
    ['PUT', '/gossip/a'],
  ] as const) {
    const answer = await server.inject({ method, url, ...(method === 'PUT' && { payload: 'x' }) })
    t.same([answer.statusCode, codeOf(answer)], [400, 'INVALID_REQUEST'], `${method} ${url}`)
    t.match(answer.body, /--gossip/)
  }
  t.equal((await server.inject('/status')).json().gossip, undefined)
  t.notMatch((await server.inject('/metrics')).body, /altered_chord_gossip/)
})

t.test('a pair is told, shown with what it has left, and refused by name', async t => {
  const { url } = await runningNode(t, gossiping)
  const put = (key: string, body: string) => fetch(`${url}/gossip/${key}`, { method: 'PUT', body })
  const stored = await put('color?ttl=90', 'blue')
  t.equal(stored.status, 200)
  const pair = await stored.json()
  t.match(pair, { key: 'color', value: 'blue', owner: new URL(url).host })
  t.ok(pair.ttl > 80 && pair.ttl <= 90)
  t.match(await (await fetch(`${url}/gossip/color`)).json(), { value: 'blue' })
  t.equal((await put('a%2Fb', '')).status, 200, 'a key may have slashes, and a value be empty')
  const { pairs } = await (await fetch(`${url}/gossip`)).json()
  t.same(
    pairs.map(({ key }: { key: string }) => key),
    ['a/b', 'color'],
  )
  const refused: [string, string, number, string, RegExp][] = [
    ['color?ttl=1000000000', 'x', 400, 'INVALID_REQUEST', /1 to 86400 seconds/],
    ['color?ttl=0.5', 'x', 400, 'INVALID_REQUEST', /1 to 86400 seconds/],
    ['color?ttl=1m', 'x', 400, 'INVALID_REQUEST', /a number of seconds/],
    ['color?tl=1', 'x', 400, 'INVALID_REQUEST', /tl/],
    ['k'.repeat(65), 'x', 400, 'INVALID_REQUEST', /64 bytes/],
    ['', 'x', 400, 'INVALID_REQUEST', /not empty/],
    ['large', 'x'.repeat(513), 413, 'FILE_TOO_LARGE', /512 bytes/],
    ['larger', 'x'.repeat(100_000), 413, 'FILE_TOO_LARGE', /./],
  ]
  for (const [key, body, status, code, message] of refused) {
    const answer = await put(key, body)
    const { error } = await answer.json()
    t.same([answer.status, error.code], [status, code], key.slice(0, 30))
    t.match(error.message, message)
  }
  const missing = await fetch(`${url}/gossip/none`)
  t.equal(missing.status, 404)
  for (let count = 2; count < 256; count++) await put(`key${count}`, 'x')
  const full = await put('one more', 'x')
  t.equal(full.status, 429)
  t.match((await full.json()).error, { code: 'OVERLOADED', message: /256 pairs/ })
})

t.test('three nodes: a pair set at one is heard by all; all see who is active, and why', async t => {
  const nodes = await runningNetwork(t, 3, undefined, gossiping)
  const urls = nodes.map(({ url }) => url)
  const hosts = urls.map(url => new URL(url).host).sort()
  const [first, , last] = urls as [string, string, string]
  await fetch(`${first}/gossip/color?ttl=600`, { method: 'PUT', body: 'blue' })
  for (const url of urls) {
    let answer = await fetch(`${url}/gossip/color`)
    while (answer.status !== 200) {
      await delay(100)
      answer = await fetch(`${url}/gossip/color`)
    }
    t.match(await answer.json(), { value: 'blue', owner: new URL(first).host })
    t.match(await (await fetch(`${url}/overlay?active=true`)).json(), { active: hosts })
    t.same(await (await fetch(`${url}/bootstrapServer/getActiveList`)).json(), hosts)
  }
  for (;;) {
    const { gossip } = await (await fetch(`${last}/status`)).json()
    t.match(gossip, { periodMs: 1_000, fanOut: 2, failMs: 10_000, pairs: 1 })
    if (gossip.members.length < 2) continue
    for (const member of gossip.members)
      t.match(member, { belief: 'alive', reason: 'its heartbeat was heard', by: [] })
    break
  }
  t.match(
    await (await fetch(`${last}/metrics`)).text(),
    /altered_chord_gossip_beliefs_total\{belief="failed"\} 0/,
  )
})
