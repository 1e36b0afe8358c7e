import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { type Env, realEnv } from '../src/env.ts'
import { addressOf } from '../src/listen.ts'
import { StoreNode } from '../src/node.ts'
import { type Flags, readNodeConfig } from '../src/read-config.ts'
import { certificateIn } from './certificate-in.ts'
import { freePort } from './e2e/harness.ts'
import { runningNode, settled } from './running-node.ts'

/** Waits until a condition holds; the test's own time-out is the deadline. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setImmediate(resolve))
}

async function stagedBodies(url: string): Promise<number> {
  return ((await (await fetch(`${url}/status`)).json()) as { staged: number }).staged
}

function notingEnv(): Env & { readonly messages: string[] } {
  const messages: string[] = []
  const note = (_fields: object, message: string) => messages.push(message)
  return { ...realEnv({ debug: note, info: note, warn: note, error: note }), messages }
}

t.test('a node answers from start to stop, and keeps its files on disk', async t => {
  const flags = { data: join(t.testdir({}), 'data') }
  const env = notingEnv()
  const first = await runningNode(t, flags, env)
  const put = await fetch(`${first.url}/put/a.txt`, { method: 'PUT', body: 'hello' })
  t.equal(put.status, 201)
  t.match(await put.json(), { durable: true, replicas: [first.url.replace('http://', '')] })
  await first.node.stop()
  await t.rejects(fetch(`${first.url}/health`), 'it is gone')
  t.same(env.messages, ['started', 'stopped'])
  const second = await runningNode(t, flags)
  t.equal(await (await fetch(`${second.url}/get/a.txt`)).text(), 'hello')
})

t.test('a node that was told of no boot node says how the first one is started', async t => {
  const waits = async (namesBoots: boolean) => {
    const env = notingEnv()
    // Port 9 is discard's; nothing listens there.
    const config = { ...readNodeConfig({ port: '0', boot: '9', memory: true }, {}), namesBoots }
    const node = new StoreNode({ env }, config)
    const started = t.rejects(node.start())
    await until(() => env.messages.some(message => message.startsWith('waiting')))
    await node.stop()
    await started
    return env.messages.find(message => message.startsWith('waiting'))
  }
  t.equal(await waits(true), 'waiting for the boot node')
  t.match(await waits(false), /none was named.*the first node of a network takes -b with its own port/)
})

t.test('a network with eventual consistency promises no trash', async t => {
  const trashOf = async (flags: Flags) => {
    const { url } = await runningNode(t, flags)
    return ((await (await fetch(`${url}/access`)).json()) as { trash: boolean }).trash
  }
  t.equal(await trashOf({}), true)
  t.equal(await trashOf({ trash: '0' }), false)
  t.equal(await trashOf({ consistency: 'eventual' }), false)
})

t.test('the advertised address is the one in replies', async t => {
  const { url } = await runningNode(t, { advertise: 'files.example:80' })
  const reply = await fetch(`${url}/exists/a`)
  t.equal(await reply.json(), false)
  const receipt = await (await fetch(`${url}/put/a`, { method: 'PUT', body: 'x' })).json()
  t.match(receipt, { durable: false, replicas: ['files.example:80'], chain: ['files.example:80'] })
})

t.test('a second node on the same folder is refused, with a sentence that names the folder', async t => {
  const data = join(t.testdir({}), 'data')
  const { url } = await runningNode(t, { data })
  const second = new StoreNode({ env: realEnv() }, readNodeConfig({ port: '0', boot: '0', data }, {}))
  await t.rejects(second.start(), {
    code: 'UNAVAILABLE',
    message: new RegExp(`${data} can't be used: .* is using it`),
  })
  await second.stop()
  t.equal((await fetch(`${url}/health`)).status, 200, 'the first one is not disturbed')
})

t.test('a port in use is named, and the folder is let go', async t => {
  const blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  t.teardown(() => blocker.close())
  const { port } = blocker.address() as { port: number }
  const data = join(t.testdir({}), 'data')
  const config = readNodeConfig({ port: `${port}`, boot: `${port}`, data }, {})
  const node = new StoreNode({ env: realEnv() }, config)
  await t.rejects(node.start(), { code: 'UNAVAILABLE', message: new RegExp(`127.0.0.1:${port} is in use`) })
  await node.stop()
  await runningNode(t, { data })
})

t.test('a host that is none of this machine is named', async t => {
  const flags = { port: '5000', host: '192.0.2.1', insecure: true, memory: true }
  const node = new StoreNode({ env: realEnv() }, readNodeConfig(flags, {}))
  await t.rejects(node.start(), { code: 'UNAVAILABLE', message: /192.0.2.1 is no address of this machine/ })
  await node.stop()
})

t.test('stop lets a running upload finish, and refuses new requests meanwhile', async t => {
  const { node, url } = await runningNode(t)
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write('PUT /put/slow HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhal\r\n')
  await until(async () => (await stagedBodies(url)) === 1)
  const stopping = node.stop()
  const refused = await fetch(`${url}/get/a`)
  t.equal(refused.status, 503)
  t.match(await refused.json(), { error: { code: 'UNAVAILABLE' } })
  t.equal((await fetch(`${url}/ready`)).status, 503)
  t.equal((await fetch(`${url}/health`)).status, 200)
  socket.end('3\r\nves\r\n0\r\n\r\n')
  t.match(await text(socket), /^HTTP\/1.1 201 /)
  await stopping
  await t.rejects(fetch(`${url}/health`))
})

t.test('a request that does not end is cut off after the time-out', async t => {
  const env = notingEnv()
  const { node, url } = await runningNode(t, { shutdownTimeout: '50ms' }, env)
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write('PUT /put/never HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhal\r\n')
  await until(async () => (await stagedBodies(url)) === 1)
  await node.stop()
  await until(() => socket.destroyed || socket.readableEnded)
  t.same(env.messages, ['started', 'requests that still run are cut off', 'stopped'])
})

t.test('stopping before, during and again after the start', async t => {
  const config = readNodeConfig({ port: '0', boot: '0', data: join(t.testdir({}), 'data') }, {})
  const unstarted = new StoreNode({ env: realEnv() }, config)
  await unstarted.stop()
  await t.rejects(unstarted.start(), { code: 'UNAVAILABLE' })
  const starting = new StoreNode({ env: realEnv() }, config)
  const start = starting.start()
  await Promise.all([
    starting.stop(),
    t.rejects(start, { code: 'UNAVAILABLE', message: /was stopped before it had started/ }),
  ])
  await starting.stop()
})

t.test('an address', async t => {
  t.equal(addressOf('127.0.0.1', 5000), '127.0.0.1:5000')
  t.equal(addressOf('::1', 5000), '[::1]:5000')
})

t.test('of nodes that start together one founds the network and the others join it', async t => {
  const ports = [await freePort(), await freePort(), await freePort()]
  const PEERS = ports.map(port => `http://127.0.0.1:${port}`).join(',')
  const nodes = ports.map(port => {
    const SELF_URL = `http://127.0.0.1:${port}`
    return new StoreNode(
      { env: realEnv() },
      readNodeConfig({ port: `${port}`, memory: true }, { PEERS, SELF_URL }),
    )
  })
  t.teardown(() => Promise.all(nodes.map(node => node.stop())))
  const urls = await Promise.all(nodes.map(node => node.start()))
  await settled(urls)
  const networks = await Promise.all(
    urls.map(async url => (await (await fetch(`${url}/network`)).json()) as { networkId: string }),
  )
  t.equal(new Set(networks.map(({ networkId }) => networkId)).size, 1)
})

t.test('the one that founds waits until all others have answered', async t => {
  const ports = [await freePort(), await freePort()].sort() as [number, number]
  const PEERS = ports.map(port => `127.0.0.1:${port}`).join(',')
  const flags = { port: `${ports[0]}`, memory: true, joinTimeout: '300ms' }
  const node = new StoreNode({ env: realEnv() }, readNodeConfig(flags, { PEERS }))
  t.teardown(() => node.stop())
  await t.rejects(node.start(), { code: 'UNAVAILABLE', message: /No network was found/ })
})

t.test('a node resumes in the network of its disk, whatever it is told', async t => {
  const data = join(t.testdir({}), 'data')
  const networkOf = async (url: string) =>
    ((await (await fetch(`${url}/network`)).json()) as { networkId: string }).networkId
  const other = await runningNode(t)
  const first = await runningNode(t, { data, replicas: '1' })
  const networkId = await networkOf(first.url)
  await first.node.stop()
  const again = await runningNode(t, { data, boot: other.url })
  t.equal(await networkOf(again.url), networkId)
  await again.node.stop()
  const contradicting = new StoreNode(
    { env: realEnv() },
    readNodeConfig({ port: '0', boot: '0', data, replicas: '3' }, {}),
  )
  t.teardown(() => contradicting.stop())
  await t.rejects(contradicting.start(), {
    code: 'INVALID_REQUEST',
    message: /replicas is 1 in this network, not 3/,
  })
})

t.test('a network of one copy writes, and more copies at least than there are is refused', async t => {
  const { url } = await runningNode(t, { replicas: '1' })
  const network = await (await fetch(`${url}/network`)).json()
  t.match(network, { replicas: 1, minReplicas: 1 })
  const config = readNodeConfig({ port: '0', boot: '0', memory: true, minReplicas: '4' }, {})
  const node = new StoreNode({ env: realEnv() }, config)
  t.teardown(() => node.stop())
  await t.rejects(node.start(), { code: 'INVALID_REQUEST', message: /minReplicas is 4 and replicas 3/ })
})

/** Asks a port sixteen times at once, again and again, until its input ends, and says what came how often. */
const ASKING = `
const { get } = require('node:http')
const seen = {}
let isOver = false
process.stdin.on('end', () => { isOver = true }).resume()
const ask = () =>
  new Promise(resolve =>
    get({ port: process.argv[1], host: '127.0.0.1', path: '/health', agent: false }, answer =>
      answer.resume().on('end', () => resolve(answer.statusCode)),
    ).on('error', error => resolve(error.code)),
  )
async function askOn() {
  while (!isOver) {
    const what = await ask()
    seen[what] = (seen[what] ?? 0) + 1
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}
Promise.all(Array.from({ length: 16 }, askOn)).then(() => console.log(JSON.stringify(seen)))
process.stderr.write('asking')
`

t.test('whoever asks a node that starts is answered or refused, and never cut off', async t => {
  const boot = await runningNode(t)
  for (let start = 0; start < 3; start++) {
    const port = `${await freePort()}`
    const asking = spawn(process.execPath, ['-e', ASKING, port])
    t.teardown(() => asking.kill('SIGKILL'))
    await once(asking.stderr, 'data')
    const { node } = await runningNode(t, { port, boot: boot.url })
    asking.stdin.end()
    const seen = JSON.parse(await text(asking.stdout)) as Record<string, number>
    t.ok(seen[200], 'somebody was answered')
    t.same(
      Object.keys(seen).filter(what => what !== '200' && what !== 'ECONNREFUSED'),
      [],
      JSON.stringify(seen),
    )
    await node.stop()
  }
})

t.test('a client that says nothing in its TLS handshake holds up no stop', async t => {
  const tls = certificateIn(t.testdir({}))
  if (tls === undefined) return t.comment('openssl is not installed here')
  const keys = { s3Key: `key:${'s'.repeat(40)}`, s3Port: '0' }
  // Longer than this test may take: no handshake ends by itself.
  const flags = { tlsCert: tls.certFile, tlsKey: tls.keyFile, headerTimeout: '10min', ...keys }
  const { node, url } = await runningNode(t, flags)
  const silent = [url, node.s3Url ?? ''].map(each => connect(Number(new URL(each).port), '127.0.0.1'))
  await Promise.all(silent.map(socket => once(socket, 'connect')))
  const ends = silent.map(socket => once(socket.resume(), 'close'))
  await node.stop()
  await Promise.all(ends)
  t.pass('they are closed, and the node has stopped')
})
