/**
 * What is done once on the way of a request, however many layers it passes: a path is hashed once, at the node
 * that the client has asked, and a record that lies on a disk is decoded once by the node that answers from it.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { Unpackr } from 'msgpackr'
import t from 'tap'

/** Of each file; the fourth node keeps nothing of it. */
const REPLICAS = 3

let hashes = 0
let decodes = 0

const { hash } = crypto
crypto.hash = ((algorithm: string, ...rest: [string]) => {
  if (algorithm === 'sha1') hashes++
  return hash(algorithm, ...rest)
}) as typeof hash
syncBuiltinESMExports()

// The notes of a record are a list that begins with a version; what nodes say to each other is an object.
const { unpack } = Unpackr.prototype
Unpackr.prototype.unpack = function (...args: Parameters<typeof unpack>) {
  const value = unpack.apply(this, args)
  if (Array.isArray(value) && Array.isArray(value[0]) && typeof value[0][0] === 'number') decodes++
  return value
}

t.teardown(() => {
  Unpackr.prototype.unpack = unpack
  crypto.hash = hash
  syncBuiltinESMExports()
})
const { runningNetwork } = await import('../running-node.ts')

interface Work {
  readonly hashes: number
  readonly decodes: number
}

t.test('a put and a get hash a path once in all, and decode a record once at each node', async t => {
  const data = t.testdir()
  const nodes = await runningNetwork(t, 4, `${data}/node`)
  const urls = nodes.map(({ url }) => url)
  const counted = async (send: () => Promise<Response>, status: number): Promise<Work> => {
    const before = { hashes, decodes }
    const reply = await send()
    await reply.arrayBuffer()
    t.equal(reply.status, status)
    return { hashes: hashes - before.hashes, decodes: decodes - before.decodes }
  }
  // Nodes may look at records for reasons of their own meanwhile: the fewest of some counts.
  const fewest = async (status: number, send: (attempt: number) => Promise<Response>): Promise<Work> => {
    const all: Work[] = []
    for (let attempt = 0; attempt < 4; attempt++) all.push(await counted(() => send(attempt), status))
    return {
      hashes: Math.min(...all.map(work => work.hashes)),
      decodes: Math.min(...all.map(work => work.decodes)),
    }
  }
  const put = (url: string, name: string, body: string) =>
    fetch(`${url}/put/${name}?overwrite=true`, { method: 'PUT', body })

  for (const [index, url] of urls.entries()) {
    const work = await fewest(201, attempt => put(url, `file ${index} ${attempt}`, 'x'))
    t.same(work, { hashes: 1, decodes: 0 }, `a new file at ${index}`)
  }
  for (const [index, url] of urls.entries()) {
    const work = await fewest(200, attempt => put(url, `file ${index} ${attempt}`, 'y'))
    // A replica that has just written a record need not decode it.
    t.ok(
      work.hashes === 1 && work.decodes <= REPLICAS,
      `a file replaced at ${index}: ${JSON.stringify(work)}`,
    )
  }
  for (const [index, url] of urls.entries()) {
    const { hashes, decodes } = await fewest(200, attempt => fetch(`${url}/get/file 0 ${attempt}`))
    t.ok(hashes <= 1 && decodes <= 1, `get at ${index}: ${hashes} hashes, ${decodes} decodes`)
  }
})
