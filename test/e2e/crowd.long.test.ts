import t from 'tap'
import { Cluster } from './cluster.ts'
import { pathsElsewhere, runCrowd } from './crowd.ts'
import { startNode } from './harness.ts'

t.setTimeout(300_000)

const noProc = process.platform === 'linux' ? false : 'reads /proc'

t.test('clients that stand still hold nobody else up and leave nothing behind', { skip: noProc }, async t => {
  const dataDirectory = t.testdir()
  const node = await startNode({ dataDirectory })
  t.teardown(() => node.kill())
  const crowd = { idle: 200, uploads: 300, downloads: 100, fileBytes: 20 * 1024 * 1024, stayMs: 2_000 }
  const result = await runCrowd({ node, ...crowd })
  t.comment(JSON.stringify(result))
  t.equal(result.refused, 0, 'the well-behaved client was refused nothing')
  const grown = result.anonymousBytes.most - result.anonymousBytes.before
  t.ok(grown < 256 * 1024 * 1024, `the node grew by ${Math.round(grown / 1024 / 1024)} MiB`)
  t.ok(result.descriptors.most > crowd.idle, 'the crowd was there')
})

t.test('readers of what other nodes keep hold up nobody either', { skip: noProc }, async t => {
  const cluster = await Cluster.start({ nodes: 4 })
  t.teardown(() => cluster.close())
  const { address, process: node } = cluster.node(0)
  const addresses = cluster.nodes.map(one => one.address)
  const crowd = { idle: 0, uploads: 0, downloads: 150, fileBytes: 20 * 1024 * 1024, stayMs: 2_000 }
  const result = await runCrowd({ node, ...crowd, paths: pathsElsewhere(address, addresses) })
  t.comment(JSON.stringify(result))
  t.equal(result.refused, 0, 'the well-behaved client was refused nothing')
  // A busy machine may not have answered all of them when the crowd goes home.
  t.same(Object.keys(result.statuses), ['downloads 200'])
  const grown = result.anonymousBytes.most - result.anonymousBytes.before
  t.ok(grown < 256 * 1024 * 1024, `the node grew by ${Math.round(grown / 1024 / 1024)} MiB`)
})
