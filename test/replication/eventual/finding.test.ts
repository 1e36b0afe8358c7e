import t from 'tap'
import { type Env, realEnv } from '../../../src/env.ts'
import { StoreError } from '../../../src/errors.ts'
import type { Actor } from '../../../src/replication/eventual/dot.ts'
import type { Acceptance, EventualPeers } from '../../../src/replication/eventual/eventual-calls.ts'
import { EventualNode } from '../../../src/replication/eventual/eventual-node.ts'
import { etagOfSibling } from '../../../src/replication/eventual/eventual-record.ts'
import { Finding, type FindingComponents } from '../../../src/replication/eventual/finding.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { ETag } from '../../../src/storage/record.ts'
import { manualEnv } from '../../manual-env.ts'
import { PATH } from './records.ts'

const REPLICAS = ['head', 'other'] as NodeId[]

/** Three nodes, of which `entry` keeps nothing; nothing is passed on by itself, since no timer fires. */
function three() {
  const nodes = new Map<NodeId, EventualNode>()
  const starting = new Set<NodeId>()
  const never = () => ({ cancel: () => undefined })
  const real = realEnv()
  const env: Env = { ...real, timers: { ...real.timers, after: never, soon: () => undefined } }
  const peers: EventualPeers = {
    ask: async (node, kind, ask) => {
      const found = nodes.get(node)
      if (found === undefined) throw new StoreError('UNAVAILABLE', 'It is not there.')
      if (starting.has(node)) throw new StoreError('NO_NETWORK', 'This node has no network yet.')
      return found.answer(kind, ask)
    },
    pushBody: async () => undefined,
    pullBody: async () => undefined,
  }
  const responsibilityOf = (self: NodeId) => ({
    self,
    replicasOf: () => REPLICAS,
    ownRanges: () => [],
    isAlive: () => true,
    isGone: () => false,
    copiesWanted: () => 2,
  })
  for (const self of [...REPLICAS, 'entry' as NodeId]) {
    const { replica: store } = new MemoryStorage({ env })
    const lookUp = async () => undefined
    const parts = { env, store, peers, responsibility: responsibilityOf(self), lookUp }
    nodes.set(self, new EventualNode(parts, { actor: `${self}/1` as Actor }))
  }
  const at = (name: string) => nodes.get(name as NodeId) as EventualNode
  const findingAt = (name: string, known: Partial<FindingComponents> = {}) =>
    new Finding({
      env,
      node: at(name),
      peers,
      responsibility: responsibilityOf(name as NodeId),
      lookup: async () => [],
      following: () => REPLICAS,
      ...known,
    })
  return { at, findingAt, responsibilityOf, starting }
}

function change(request: string, text: string): Acceptance {
  const bytes = Buffer.from(text)
  const body = { size: bytes.length, sha256: 'a'.repeat(64), blockChecksums: [0], content: { inline: bytes } }
  return { path: PATH, condition: 'none', request, file: { body, meta: { mediaType: 'text/plain' } } }
}

for (const entry of ['entry', 'head', 'other'])
  t.test(
    `versions that a change names are known where it is taken, when it comes in at ${entry}`,
    async t => {
      const { at, findingAt } = three()
      await at('head').replica.accept(change('1', 'one'))
      await at('other').replica.accept(change('2', 'two'))
      const finding = findingAt(entry)
      const etags = ((await finding.gather(PATH))?.siblings ?? []).map(etagOfSibling)
      t.equal(etags.length, 2)
      t.equal(at('head').replica.fetch(PATH)?.siblings.length, 1)
      await finding.gatherNamed(PATH, { etags })
      t.equal(at('head').replica.fetch(PATH)?.siblings.length, 2)
      const settled = await at('head').replica.accept({ ...change('3', 'both'), condition: { etags } })
      t.match(settled, { kind: 'done', replaced: true })
      t.equal(at('head').replica.fetch(PATH)?.siblings.length, 1)
    },
  )

t.test('what cannot be gathered leaves the judgement to the one that takes the change', async t => {
  const { at, findingAt } = three()
  await at('head').replica.accept(change('1', 'one'))
  const finding = findingAt('entry')
  const condition = { etags: ['"9.9-00000000"' as ETag] }
  await finding.gatherNamed(PATH, condition)
  const refused = await at('head').replica.accept({ ...change('2', 'two'), condition })
  t.same(refused, { kind: 'refused', because: 'condition' })
})

t.test('who keeps a tombstone or a hint for others asks them before it answers', async t => {
  const { at, findingAt } = three()
  await at('entry').replica.accept({ ...change('1', ''), file: undefined })
  await at('entry').syncing.compareAll()
  const finding = findingAt('entry')
  t.equal((await finding.find(PATH)).record?.siblings.length, 0, 'nobody else has anything')
  for (const node of ['head', 'other']) await at(node).replica.accept(change(`2-${node}`, 'written later'))
  t.ok(((await finding.find(PATH)).record?.siblings.length ?? 0) > 0, 'the replicas have a file again')
})

t.test('a node that has no network yet is none that could answer, and the next one is asked', async t => {
  const { at, findingAt, starting } = three()
  for (const node of REPLICAS) await at(node).replica.accept(change('1', 'one'))
  starting.add('head' as NodeId)
  const finding = findingAt('entry')
  for (const _ of REPLICAS) t.equal((await finding.find(PATH)).record?.siblings.length, 1)
})

t.test('who knows only a replica that is gone asks who keeps the path now', async t => {
  const { at, findingAt, responsibilityOf } = three()
  let known = ['gone'] as NodeId[]
  let looks = 0
  const finding = findingAt('entry', {
    responsibility: { ...responsibilityOf('entry' as NodeId), replicasOf: () => known },
    lookup: async () => {
      looks++
      known = REPLICAS
      return []
    },
  })
  t.equal((await finding.find(PATH)).record, undefined, 'the replicas say that there is nothing')
  t.equal(looks, 1)
  known = ['gone'] as NodeId[]
  for (const node of REPLICAS) await at(node).replica.accept(change('1', 'one'))
  t.equal((await finding.find(PATH)).record?.siblings.length, 1)
  t.equal(looks, 1, 'a file that was found needs no look')
})

t.test('who becomes a replica while a read goes on is asked as one', async t => {
  const { at, findingAt, responsibilityOf } = three()
  const [, other] = REPLICAS as [NodeId, NodeId]
  let known = ['gone'] as NodeId[]
  const finding = findingAt('entry', {
    responsibility: { ...responsibilityOf('entry' as NodeId), replicasOf: () => known },
    lookup: async () => {
      // It was asked before, when it was none, and has the file only now.
      await at(other).replica.accept(change('1', 'one'))
      known = [other]
      return []
    },
  })
  t.equal((await finding.find(PATH)).record?.siblings.length, 1)
})

t.test('only a node that was asked as a replica can say that there is nothing', async t => {
  const { findingAt, responsibilityOf } = three()
  const replicasSeen = [['former'], ['former', 'another'], ['gone']] as NodeId[][]
  let looks = 0
  const peers: EventualPeers = {
    ask: async (node, kind, ask) => {
      if (node === 'gone') throw new StoreError('UNAVAILABLE', 'It is not there.')
      const isFormer = kind === 'fetch' && (ask as { asReplica?: boolean }).asReplica === true
      return { record: undefined, ...(isFormer && { elsewhere: true }) } as never
    },
    pushBody: async () => undefined,
    pullBody: async () => undefined,
  }
  const finding = findingAt('entry', {
    peers,
    following: () => [],
    responsibility: {
      ...responsibilityOf('entry' as NodeId),
      replicasOf: () => replicasSeen[Math.min(looks, replicasSeen.length - 1)] as NodeId[],
    },
    lookup: async () => {
      looks++
      return []
    },
  })
  await t.rejects(finding.find(PATH), { code: 'UNAVAILABLE' })
})

t.test(
  'a read that reaches no replica ends when a look-up shows no other one, or takes too long',
  async t => {
    const { findingAt, responsibilityOf } = three()
    const env = manualEnv()
    let looks = 0
    let isSilent = false
    const known: Partial<FindingComponents> = {
      env,
      responsibility: { ...responsibilityOf('entry' as NodeId), replicasOf: () => ['gone'] as NodeId[] },
      lookup: () => {
        looks++
        return isSilent ? new Promise(() => undefined) : Promise.resolve([])
      },
    }
    const finding = findingAt('entry', known)
    await t.rejects(finding.find(PATH), { code: 'UNAVAILABLE' })
    t.equal(looks, 1)
    isSilent = true
    const reads = Array.from({ length: 9 }, () => finding.find(PATH).then(t.fail, error => error.code))
    await env.advance(1_500)
    t.same(new Set(await Promise.all(reads)), new Set(['UNAVAILABLE']))
    t.equal(looks, 1 + 4, 'a few of them look, and the others do not wait')
  },
)
