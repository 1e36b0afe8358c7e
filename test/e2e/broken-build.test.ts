/**
 * A program that is wrong about its own state: the node ends by itself and says what broke, and the others go on.
 */
import { join } from 'node:path'
import t from 'tap'
import { VERSION } from '../../src/version.ts'
import { Cluster, replicasOf } from './cluster.ts'
import { repositoryRoot, withDeadline } from './harness.ts'

// Processes that start and settle take their time on a machine that is shared.
t.setTimeout(300_000)

// It changes a module of the sources.
const PRELOAD = new URL('./broken-build-preload.js', import.meta.url).href

t.test('a broken invariant ends the node with what to report, and the others go on', async t => {
  const cluster = await Cluster.start({
    nodes: 3,
    nodeFlags: ['--import', PRELOAD],
    program: join(repositoryRoot, 'start.js'),
  })
  t.teardown(() => cluster.close())
  const addresses = cluster.nodes.map(({ address }) => address)
  for (let i = 0; i < 10; i++) await cluster.node(i % 3).client.put(`before/${i}`, 'x')
  // Its head is the node that will meet the defect; the others only pass on what it decides.
  const path = 'break/secret-name'
  const head = cluster.nodes.findIndex(({ address }) => address === replicasOf(path, addresses)[0])
  const broken = cluster.node(head).process
  const before = await cluster
    .node(head)
    .client.put(path, 'x')
    .catch(error => error as Error)
  t.ok(before instanceof Error || before.status >= 500, 'the client of that node gets an error')
  const exit = await withDeadline(broken.exited, 30_000, () => `the node did not end:\n${broken.output()}`)
  t.same(exit, { code: 70, signal: null })
  const entry = broken
    .output()
    .split('\n')
    .find(line => line.includes('"op":"defect"'))
  t.ok(entry, broken.output())
  t.match(JSON.parse(entry ?? '{}'), {
    event: /^(message write|request put|requests)$/,
    version: VERSION,
    err: {
      type: 'InvariantError',
      message: /the versions of a path grow|only what was written is clean/,
      stack: /writing\.ts/,
    },
    msg: /please report/,
  })
  t.notMatch(entry, /secret-name/, 'without anything that a user has named')
  t.notMatch(broken.output(), /disk/i, 'and no word of the disk')

  await cluster.kill(head)
  await cluster.settled()
  for (const { client, port } of cluster.running) {
    for (let i = 0; i < 10; i++) t.equal((await client.send('GET', `/get/before/${i}`)).body.toString(), 'x')
    t.equal((await client.put(`after/${port}`, 'x')).status, 201)
  }
})
