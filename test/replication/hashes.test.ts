/**
 * How often a path is hashed on its way: once at each node that it passes. The position travels in every message.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import t from 'tap'

let hashes = 0
const { hash } = crypto
crypto.hash = ((algorithm: string, ...rest: [string]) => {
  if (algorithm === 'sha1') hashes++
  return hash(algorithm, ...rest)
}) as typeof hash
syncBuiltinESMExports()
t.teardown(() => {
  crypto.hash = hash
  syncBuiltinESMExports()
})
const { runningNetwork } = await import('../running-node.ts')

t.test(
  'a put hashes its path at the entry node alone, a get there and where the record is decoded',
  async t => {
    const nodes = await runningNetwork(t, 4)
    const urls = nodes.map(({ url }) => url)
    const counted = async (send: () => Promise<Response>) => {
      const before = hashes
      const reply = await send()
      await reply.arrayBuffer()
      return { status: reply.status, hashes: hashes - before }
    }
    // Nodes may look at records for reasons of their own meanwhile: the fewest of some counts.
    const fewest = async (status: number, send: (attempt: number) => Promise<Response>) => {
      const counts: number[] = []
      for (let attempt = 0; attempt < 4; attempt++) {
        const { hashes, status: answered } = await counted(() => send(attempt))
        t.equal(answered, status)
        counts.push(hashes)
      }
      return Math.min(...counts)
    }
    for (const [index, url] of urls.entries()) {
      const init = { method: 'PUT', body: 'x' }
      const most = await fewest(201, attempt => fetch(`${url}/put/file ${index} ${attempt}`, init))
      t.equal(most, 1, `put at ${index}`)
    }
    for (const [index, url] of urls.entries()) {
      const most = await fewest(200, attempt => fetch(`${url}/get/file 0 ${attempt}`))
      t.ok(most <= 2, `get at ${index}: ${most}`)
    }
  },
)
