import t from 'tap'
import { StoreError } from '../../../src/errors.ts'
import type { ChainNode } from '../../../src/lab/simulator/chain-node.ts'
import { NODE_MS } from '../../../src/lab/simulator/faster-env.ts'
import { SIMULATED_SETTINGS } from '../../../src/lab/simulator/simulated-settings.ts'
import { mayStartAgain, wholeSettings } from '../../../src/lab/simulator/whole-node.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import { chainBench } from './chain-bench.ts'

type Bench = Awaited<ReturnType<typeof chainBench>>

/** As long as it takes, in ms of the world. */
async function until({ clock }: Bench, isSo: () => boolean): Promise<boolean> {
  for (let look = 0; look < 100 && !isSo(); look++) await clock.runSettled(clock.monotonicMs() + 50)
  return isSo()
}

const knows = (node: ChainNode) =>
  [...(node.whole?.ring?.members.alive() ?? [])]
    .map(({ nodeId }) => nodeId)
    .sort()
    .join()

t.test('whole nodes found a network, find each other, and answer lookups', async t => {
  const bench = await chainBench({ nodes: 4, whole: true })
  const { cluster, clock } = bench
  t.ok(await until(bench, () => cluster.nodes.every(node => knows(node) === 'n1.0,n2.0,n3.0,n4.0')))
  const ring = cluster.node('n4').whole?.ring
  let head: string | undefined
  const found = ring?.lookup(identifierOfPath(parsePathName('p1'))).then(({ view }) => {
    head = view.replicas[0]
  })
  t.ok(await until(bench, () => head !== undefined))
  await found
  const answered: string[] = []
  const put = cluster.node('n3').ask('x', {
    kind: 'put',
    path: parsePathName('p1'),
    body: {
      size: 1,
      sha256: '7'.repeat(64),
      blockChecksums: [0],
      content: { blobId: '7'.repeat(32) as never },
    },
    meta: { mediaType: 'text/plain' },
    writtenAtMs: 0,
    condition: 'none',
  })
  void put.then(({ kind }) => answered.push(kind))
  t.ok(await until(bench, () => answered.length > 0))
  const get = cluster.node('n2').ask('y', { kind: 'get', path: parsePathName('p1') })
  void get.then(({ kind }) => answered.push(kind))
  t.ok(await until(bench, () => answered.length > 1))
  t.same(answered, ['done', 'found'])
  const holders = cluster.nodes.filter(node => (node.machine?.blobs.size ?? 0) > 0)
  t.equal(holders.length, 3)
  t.ok(clock.steps > 0)
})

t.test('a node that crashes comes back as itself, one that lost its disk as another', async t => {
  const bench = await chainBench({ nodes: 3, whole: true })
  const { cluster } = bench
  t.ok(await until(bench, () => cluster.nodes.every(node => knows(node) === 'n1.0,n2.0,n3.0')))
  const node = cluster.node('n2')
  t.ok(cluster.isAcquainted)
  cluster.move(node)
  t.notOk(cluster.isAcquainted)
  t.equal(node.whole, undefined)
  cluster.start(node)
  t.ok(await until(bench, () => node.running && knows(node) === 'n1.0,n2.0,n3.0'))
  t.ok(await until(bench, () => cluster.isAcquainted), 'at its new address')
  cluster.wipe(node)
  cluster.start(node)
  t.ok(await until(bench, () => cluster.nodes.every(each => knows(each) === 'n1.0,n2.1,n3.0')))
})

t.test('a node that leaves is gone when the others have all', async t => {
  const bench = await chainBench({ nodes: 4, whole: true })
  const { cluster } = bench
  t.ok(await until(bench, () => cluster.nodes.every(node => knows(node) === 'n1.0,n2.0,n3.0,n4.0')))
  const node = cluster.node('n3')
  cluster.depart(node)
  t.equal(cluster.members.get(node.id)?.status, 'leaving')
  t.ok(await until(bench, () => cluster.members.get(node.id)?.status === 'gone'))
  t.notOk(node.running)
})

t.test('what is kept for a while is kept as long as in other worlds', async t => {
  const { stagedMs = 0, answerTimeoutMs } = wholeSettings(SIMULATED_SETTINGS)
  t.equal(stagedMs / NODE_MS, SIMULATED_SETTINGS.stagedMs)
  t.equal(answerTimeoutMs, undefined)
})

t.test('who has found nobody tries again', async t => {
  t.ok(mayStartAgain(new StoreError('UNAVAILABLE', 'nobody')))
  t.ok(mayStartAgain(new StoreError('NO_NETWORK', 'nobody')))
  t.notOk(mayStartAgain(new TypeError('wrong')))
})

t.test('a network that was lost before anybody had joined it is founded again', async t => {
  const bench = await chainBench({ nodes: 3, whole: true })
  const { cluster } = bench
  const first = cluster.node('n1')
  t.ok(await until(bench, () => first.running))
  // None of the others has found it yet.
  for (const node of cluster.nodes) cluster.wipe(node)
  for (const node of cluster.nodes) cluster.start(node)
  t.ok(await until(bench, () => cluster.nodes.every(node => knows(node) === 'n1.1,n2.1,n3.1')))
})
