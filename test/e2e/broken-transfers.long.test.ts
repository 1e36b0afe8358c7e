/**
 * Transfers of bodies that break off at every point: a node keeps no file open for them.
 */
import { readdir, readlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { Cluster, type ClusterNode } from './cluster.ts'
import { waitFor } from './harness.ts'

t.setTimeout(300_000)

/** The bodies that a process has open. */
async function openBodies(pid: number): Promise<readonly string[]> {
  const files: string[] = []
  for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
    const file = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
    if (/\/(blobs|staging)\//.test(file)) files.push(file)
  }
  return files
}

/** Sends a request and goes away after so long, in ms. */
async function leaveAfter(node: ClusterNode, request: string, ms: number): Promise<void> {
  const socket = connect(node.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await new Promise(resolve => socket.once('connect', resolve))
  socket.write(request)
  await delay(ms)
  socket.resetAndDestroy()
}

const RANGES = ['', 'Range: bytes=5-\r\n', 'Range: bytes=0-9,1500000-1500009\r\n']

t.test('readers and senders who go away', { skip: process.platform !== 'linux' }, async t => {
  const cluster = await Cluster.start({ nodes: 4 })
  t.teardown(() => cluster.close())
  const body = Buffer.alloc(3_000_000, 'x')
  for (let number = 0; number < 4; number++) {
    const reply = await cluster.node(number).client.put(`file${number}`, body)
    t.equal(reply.status, 201)
  }
  const goings: Promise<void>[] = []
  for (let round = 0; round < 120; round++) {
    const node = cluster.node(round % 4)
    const range = RANGES[round % RANGES.length]
    const target = round % 5 === 4 ? 'download' : 'get'
    const get = `GET /${target}/file${(round >> 2) % 4} HTTP/1.1\r\nHost: 127.0.0.1\r\n${range}\r\n`
    goings.push(leaveAfter(node, get.repeat(1 + (round % 3)), round % 12))
    if (round % 20 === 0) await Promise.all(goings)
  }
  await Promise.all(goings)
  // A replica goes away while bodies are on their way to it.
  const puts: Promise<unknown>[] = []
  for (let number = 0; number < 24; number++)
    puts.push(
      cluster
        .node(number % 3)
        .client.put(`more${number}`, body)
        .catch(() => undefined),
    )
  await delay(30)
  await cluster.kill(3)
  await Promise.all(puts)
  const left = async () =>
    (await Promise.all(cluster.running.map(({ process }) => openBodies(process.pid)))).flat()
  let seen: readonly string[] = []
  await waitFor(
    async () => {
      seen = await left()
      return seen.length === 0
    },
    { what: 'no body is open', timeoutMs: 30_000, pauseMs: 200 },
  ).catch(error => t.fail(`${error.message}: ${seen.length} are: ${seen.slice(0, 4).join(', ')}`))
  t.notMatch(cluster.output(), /garbage collection/)
})
