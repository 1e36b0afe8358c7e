/**
 * Large bodies on their way through real nodes: they go on to the replicas while they come in, and whatever happens in
 * the middle leaves nothing behind and holds nobody up.
 */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { bodyOf } from '../storage/conformance.ts'
import { CLUSTER_TIMEOUT_MS, Cluster, type ClusterNode, replicasOf } from './cluster.ts'
import { waitFor } from './harness.ts'

// Processes that start, settle and come back take their time on a machine that is shared.
t.setTimeout(600_000)

const bytes = bodyOf(8 * 1024 * 1024)
const sha256 = createHash('sha256').update(bytes).digest('hex')

const cluster = await Cluster.start({ nodes: 5 })
t.teardown(() => cluster.close())

const addresses = cluster.nodes.map(({ address }) => address)
const replicas = (path: string) =>
  replicasOf(path, addresses).map(
    each => cluster.nodes.find(({ address }) => address === each) as ClusterNode,
  )
const strangerTo = (path: string) =>
  cluster.nodes.find(({ address }) => !replicasOf(path, addresses).includes(address)) as ClusterNode

const staged = ({ dataDirectory }: ClusterNode) => readdir(join(dataDirectory, 'staging'))

async function blobs({ dataDirectory }: ClusterNode): Promise<number> {
  const entries = await readdir(join(dataDirectory, 'blobs'), { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).length
}

/** Bodies that a node was sent by others, by its own count. */
async function sentTo(node: ClusterNode): Promise<number> {
  const { body } = await node.client.send('GET', '/metrics')
  const lines = body.toString().split('\n')
  const counts = lines.filter(line => line.includes('requests_total') && line.includes('/peer/staging/'))
  return counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** Whether each of these nodes is taking a body in. */
const areReceiving = async (nodes: readonly ClusterNode[]) =>
  (await Promise.all(nodes.map(staged))).every(names => names.length > 0)

const within = (what: string) => ({ what, timeoutMs: CLUSTER_TIMEOUT_MS, pauseMs: 20 })

/** Half of a body, and the rest when `between` has ended. */
async function* halves(
  before: Uint8Array,
  between: () => Promise<unknown>,
  after: Uint8Array = Buffer.alloc(0),
) {
  yield Buffer.concat([before, bytes.subarray(0, bytes.length / 2)])
  await between()
  yield Buffer.concat([bytes.subarray(bytes.length / 2), after])
}

t.test('a body reaches its replicas while it comes in at another node, and once', async t => {
  const path = 'large/put'
  const entry = strangerTo(path)
  // It learns who keeps the path.
  await entry.client.send('GET', `/exists/${path}`)
  const before = await Promise.all(replicas(path).map(sentTo))
  const keeping = await Promise.all(replicas(path).map(blobs))
  const arrives = () => waitFor(() => areReceiving(replicas(path)), within('all replicas receive'))
  const reply = await entry.client.put(path, Readable.from(halves(Buffer.alloc(0), arrives)))
  t.equal(reply.status, 201)
  t.equal(reply.json().sha256, sha256)
  for (const [index, node] of replicas(path).entries()) {
    t.equal(await sentTo(node), (before[index] ?? 0) + 1, 'no body was sent a second time')
    t.equal(await blobs(node), (keeping[index] ?? 0) + 1)
  }
  for (const node of cluster.nodes) t.match(await node.client.digest(path), { status: 200, sha256 })
  await waitFor(async () => (await blobs(entry)) === 0, within('the entry node keeps nothing'))
})

t.test('so does a file of a form', async t => {
  const path = 'forms/file.bin'
  const head = Buffer.from(
    '--B\r\nContent-Disposition: form-data; name="file"; filename="file.bin"\r\n' +
      'Content-Type: application/octet-stream\r\n\r\n',
  )
  const arrives = () => waitFor(() => areReceiving(replicas(path)), within('all replicas receive'))
  const entry = strangerTo(path)
  await entry.client.send('GET', `/exists/${path}`)
  const reply = await entry.client.send('POST', '/upload/forms', {
    body: Readable.from(halves(head, arrives, Buffer.from('\r\n--B--\r\n'))),
    headers: { 'content-type': 'multipart/form-data; boundary=B' },
  })
  t.equal(reply.status, 201)
  t.match(await cluster.node(0).client.digest(path), { status: 200, sha256 })
})

t.test('a client that breaks off leaves nothing at any node', async t => {
  const path = 'large/broken'
  const entry = strangerTo(path)
  await entry.client.send('GET', `/exists/${path}`)
  const breaks = async () => {
    await waitFor(() => areReceiving(replicas(path)), within('all replicas receive'))
    throw new Error('the client breaks off')
  }
  await t.rejects(entry.client.put(path, Readable.from(halves(Buffer.alloc(0), breaks))))
  const isEmpty = async () =>
    (await Promise.all(cluster.nodes.map(staged))).every(names => names.length === 0)
  await waitFor(isEmpty, within('nothing is left'))
  t.equal((await entry.client.send('GET', `/get/${path}`)).status, 404)
})

t.test('a replica that falls silent in the middle holds nobody up for long', async t => {
  const path = 'large/silent'
  const [silent, ...others] = replicas(path) as [ClusterNode, ...ClusterNode[]]
  const entry = strangerTo(path)
  await entry.client.send('GET', `/exists/${path}`)
  const pauses = async () => {
    await waitFor(() => areReceiving(replicas(path)), within('all replicas receive'))
    silent.process.pause()
  }
  const began = performance.now()
  const reply = await entry.client.put(path, Readable.from(halves(Buffer.alloc(0), pauses)))
  t.comment(`the put took ${Math.round(performance.now() - began)} ms`)
  t.equal(reply.status, 201, reply.body.toString())
  for (const node of others) t.match(await node.client.digest(path), { status: 200, sha256 })
  silent.process.resume()
  await cluster.settled()
  for (const node of cluster.nodes)
    t.match(await node.client.digest(path), { status: 200, sha256 }, node.name)
})
