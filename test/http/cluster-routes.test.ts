import { join } from 'node:path'
import t from 'tap'
import { StoreError } from '../../src/errors.ts'
import type { NodeControl } from '../../src/http/cluster-routes.ts'
import { type RunningNode, runningNetwork, runningNode, settled } from '../running-node.ts'
import { ADDRESS, codeOf, runServer } from './running-server.ts'

type Json = Record<string, unknown> & { ranges: { share: number; replicas: string[]; head: string }[] }

const ask = async (url: string, init?: RequestInit) => {
  const reply = await fetch(url, init)
  return { status: reply.status, headers: reply.headers, body: (await reply.json()) as Json }
}

const hostOf = (url: string) => new URL(url).host

/** A control that notes what it is asked. */
function notingControl(changes: Partial<NodeControl> = {}): NodeControl & { readonly calls: unknown[] } {
  const calls: unknown[] = []
  return {
    calls,
    join: async boot => {
      calls.push(['join', boot])
      return { status: 'joined', networkId: 'n' }
    },
    depart: async options => {
      calls.push(['depart', options])
    },
    leave: () => calls.push(['leave']),
    ...changes,
  }
}

type Vitals = { address: string; files: number; memoryBytes: number; requests: number }

t.test('a lone node answers for everything itself', async t => {
  const { server } = await runServer(t)
  const lookup = await server.inject('/lookup/a/b')
  t.match(lookup.json(), {
    path: 'a/b',
    key: /^[0-9a-f]{40}$/,
    owner: ADDRESS,
    replicas: [ADDRESS],
    chain: [ADDRESS],
    hops: 0,
    failed: 0,
  })
  t.match(lookup.headers, { 'ring-chain': ADDRESS, 'ring-hops': '0' })
  t.match((await server.inject('/network')).json(), {
    networkId: 'net-1',
    replicas: 3,
    nodes: [{ address: ADDRESS, status: 'alive', self: true }],
    ranges: 8,
  })
  const { ranges } = (await server.inject('/overlay')).json() as Json
  t.equal(ranges.length, 8)
  t.ok(Math.abs(ranges.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9, 'the shares make up the ring')
})

t.test('what these endpoints refuse', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w', readOnly: 'r' } })
  const rows: ['GET' | 'POST', string, string, number, string][] = [
    ['GET', '/lookup/', 'r', 400, 'INVALID_PATH'],
    ['GET', '/lookup/a?x=1', 'r', 400, 'INVALID_REQUEST'],
    ['GET', '/network?x', 'r', 400, 'INVALID_REQUEST'],
    ['GET', '/overlay?x', 'r', 400, 'INVALID_REQUEST'],
    ['POST', '/join?x', 'w', 400, 'INVALID_REQUEST'],
    ['POST', '/depart?stay=perhaps', 'w', 400, 'INVALID_REQUEST'],
    ['POST', '/depart?go=true', 'w', 400, 'INVALID_REQUEST'],
    ['POST', '/join', 'r', 403, 'FORBIDDEN'],
    ['POST', '/depart', 'r', 403, 'FORBIDDEN'],
    ['GET', '/depart', 'w', 405, 'METHOD_NOT_ALLOWED'],
  ]
  for (const [method, url, token, status, code] of rows) {
    const reply = await server.inject({ method, url, headers: { authorization: `Bearer ${token}` } })
    t.same([reply.statusCode, codeOf(reply)], [status, code], `${method} ${url}`)
  }
})

t.test('join hands on whom to join, in any of the forms of -b', async t => {
  const control = notingControl()
  const { server } = await runServer(t, { control })
  const join = (payload?: string) =>
    server.inject({ method: 'POST', url: '/join', ...(payload && { payload }) })
  t.same((await join()).json(), { status: 'joined', networkId: 'n' })
  await join('{"boot":"5001"}')
  await join('{"boot":5001}')
  await join('{"boot":"http://files.example"}')
  t.same(control.calls, [
    ['join', undefined],
    ['join', '127.0.0.1:5001'],
    ['join', '127.0.0.1:5001'],
    ['join', 'files.example:80'],
  ])
  for (const payload of ['{', '[]', 'null', '{"boot":"a/b"}', '{"boot":"5001","x":1}', '{}']) {
    const reply = await join(payload)
    t.same([reply.statusCode, codeOf(reply)], [400, 'INVALID_REQUEST'], payload)
  }
  t.equal(control.calls.length, 4)
})

t.test('depart answers when it is done, and only then the node leaves', async t => {
  const control = notingControl()
  const { origin } = await runServer(t, { control, listen: true })
  t.match(await ask(`${origin}/depart?stay=true`, { method: 'POST' }), { status: 200, body: { stays: true } })
  t.same(control.calls, [['depart', { stay: true }]])
  const left = new Promise<void>(resolve => Object.assign(control, { leave: resolve }))
  t.match(await ask(`${origin}/depart`, { method: 'POST' }), { status: 200, body: { stays: false } })
  await left
})

t.test('who cannot depart stays', async t => {
  const depart = async () => {
    throw new StoreError('UNAVAILABLE', 'nobody')
  }
  const control = notingControl({ depart })
  const { origin } = await runServer(t, { control, listen: true })
  t.equal((await ask(`${origin}/depart`, { method: 'POST' })).status, 503)
  t.same(control.calls, [])
})

t.test('three nodes: lookup, overlay, readiness, and one departs', async t => {
  const nodes = await runningNetwork(t, 3)
  const urls = nodes.map(({ url }) => url)
  const hosts = urls.map(hostOf).sort()
  const [first, second, third] = urls as [string, string, string]
  for (const url of urls) {
    for (let file = 0; file < 5; file++) {
      const reply = await ask(`${url}/lookup/file-${file}`)
      t.equal(reply.status, 200)
      t.same([...(reply.body.replicas as string[])].sort(), hosts)
      t.equal(reply.body.owner, (reply.body.replicas as string[])[0])
      t.same(reply.body.chain, [hostOf(url)], 'every node keeps everything: no hop')
      t.same(reply.body.hopMs, [])
    }
    t.match(await ask(`${url}/ready`), { status: 200 })
    const { body } = await ask(`${url}/status`)
    const vitals = (await ask(`${url}/overlay`)).body.nodes as unknown as Vitals[]
    t.same(vitals.map(({ address }) => address).sort(), hosts, 'every node says how it is doing')
    for (const { files, memoryBytes, requests } of vitals)
      t.ok(files === 0 && memoryBytes > 0 && requests > 0)
    t.match(body, { network: { nodes: { alive: 3 }, suspects: [] }, views: { notActive: 0, backFilling: 0 } })
  }
  const owners = await Promise.all(
    urls.map(async url => (await ask(`${url}/overlay`)).body.ranges.map(({ head }) => head)),
  )
  t.same(owners[0], owners[1], 'all see one ring')
  t.same([...new Set(owners[0])].sort(), hosts)

  for (let file = 0; file < 20; file++)
    await ask(`${second}/put/f/${file}`, { method: 'PUT', body: `${file}` })
  t.match(await ask(`${second}/depart`, { method: 'POST' }), { status: 200, body: { status: 'departed' } })
  t.equal(await nodes[1]?.node.ended, 'departed')
  await t.rejects(fetch(`${second}/health`), 'it is gone')
  for (const url of [first, third]) {
    t.match(await ask(`${url}/network`), { body: { nodes: { length: 3 } } })
    for (let file = 0; file < 20; file++) t.equal((await ask(`${url}/get/f/${file}`)).body, file)
    const { ranges } = (await ask(`${url}/overlay`)).body
    t.ok(ranges.every(({ replicas }) => replicas.length === 2 && !replicas.includes(hostOf(second))))
  }
  t.match(await ask(`${first}/put/after`, { method: 'PUT', body: 'x' }), { status: 201 })
})

t.test('a node that departs may stay, alone and empty, and join again', async t => {
  const data = join(t.testdir({}), 'data')
  const [first, second] = (await runningNetwork(t, 2, data)) as [RunningNode, RunningNode]
  await ask(`${first.url}/put/a`, { method: 'PUT', body: '"large"'.repeat(20_000) })
  t.match(await ask(`${second.url}/join`, { method: 'POST', body: '{"boot":"9"}' }), {
    status: 409,
    body: { error: { code: 'ALREADY_IN_NETWORK' } },
  })
  t.match(await ask(`${second.url}/join`, { method: 'POST' }), { status: 200, body: { status: 'member' } })
  t.equal((await ask(`${second.url}/depart?stay=true`, { method: 'POST' })).status, 200)
  t.equal((await ask(`${second.url}/exists/a`)).body, false)
  t.equal((await ask(`${first.url}/exists/a`)).body, true)
  t.match(await ask(`${second.url}/status`), { body: { files: 0, network: { nodes: { alive: 1 } } } })
  const boot = JSON.stringify({ boot: first.url })
  t.match(await ask(`${second.url}/join`, { method: 'POST', body: boot }), {
    status: 200,
    body: { status: 'joined' },
  })
  await settled([first.url, second.url])
  t.equal((await ask(`${second.url}/exists/a`)).body, true)
})

t.test('whoever is alone with files can neither depart nor join', async t => {
  const { url } = await runningNode(t)
  await ask(`${url}/put/a`, { method: 'PUT', body: 'x' })
  t.match(await ask(`${url}/depart`, { method: 'POST' }), {
    status: 503,
    body: { error: { code: 'UNAVAILABLE' } },
  })
  t.match(await ask(`${url}/join`, { method: 'POST', body: '{"boot":"9"}' }), { status: 409 })
  t.match(await ask(`${url}/join`, { method: 'POST' }), { status: 400 }, 'it was told of no other node')
  t.equal(await (await fetch(`${url}/get/a`)).text(), 'x')
})

t.test('a node that joins nobody is alone again', async t => {
  const { url } = await runningNode(t, { joinTimeout: '100ms' })
  t.match(await ask(`${url}/join`, { method: 'POST', body: '{"boot":"9"}' }), { status: 503 })
  t.match(await ask(`${url}/put/a`, { method: 'PUT', body: 'x' }), { status: 201 })
})
