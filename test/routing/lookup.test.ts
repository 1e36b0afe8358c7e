import t from 'tap'
import { StoreError } from '../../src/errors.ts'
import { type Identifier, identifiersOfAddress, type NodeId } from '../../src/ring/identifier.ts'
import { Learning, type LearningMode } from '../../src/routing/learning.ts'
import {
  HOPS_MAX,
  type LookupComponents,
  type LookupReply,
  type LookupRequest,
  Lookups,
  type Responsible,
} from '../../src/routing/lookup.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import type { NetworkMap } from '../../src/routing/network-map.ts'
import { Suspects } from '../../src/routing/suspects.ts'
import { mapOf, record } from './any.ts'

const signal = new AbortController().signal
/** Long enough for a chain of HOPS_MAX nodes, each of which takes its share. */
const options = { budgetMs: 1e9, signal }

/** The key that the node with this name owns: its own identifier. */
const keyOf = (name: string) => identifiersOfAddress(record(name).ringAddress, 1)[0] as Identifier
const nameOf = (nodeId: NodeId) => nodeId.slice('node-'.length)

interface TestNode {
  readonly map: NetworkMap
  readonly suspects: Suspects
  readonly lookups: Lookups<string>
  readonly kept: string[]
  readonly observed: string[]
}

/** Nodes that reach each other at once; time passes only when a test says so. */
class TestNetwork {
  readonly nodes = new Map<string, TestNode>()
  readonly down = new Set<string>()
  readonly requests: { to: string; request: LookupRequest }[] = []
  readonly replies: LookupReply<string>[] = []
  nowMs = 0
  /** Happens before a request is delivered; may throw. */
  onRequest: (to: string, request: LookupRequest) => void = () => {}

  readonly owner: string
  readonly mode: LearningMode
  readonly views: Record<string, Responsible<string>>

  /** @param knows each node with the names of those in its map. */
  constructor(
    knows: Record<string, string>,
    owner: string,
    mode: LearningMode = 'chain',
    views: Record<string, Responsible<string>> = {},
  ) {
    this.owner = owner
    this.mode = mode
    this.views = views
    for (const [name, others] of Object.entries(knows))
      this.nodes.set(name, this.#node(name, others.split(' ').filter(Boolean)))
  }

  node(name: string): TestNode {
    return this.nodes.get(name) as TestNode
  }

  lookup(from: string, key = keyOf(this.owner)) {
    return this.node(from).lookups.lookup(key, options)
  }

  knownTo(name: string): string[] {
    return [...this.node(name).map.records()]
      .filter(({ status }) => status === 'alive')
      .map(({ nodeId }) => nameOf(nodeId))
      .sort()
  }

  #node(name: string, others: readonly string[]): TestNode {
    const map = mapOf(
      name,
      others.map(other => record(other)),
    )
    const suspects = new Suspects()
    const learning = new Learning({ map, suspects }, { mode: this.mode })
    const kept: string[] = []
    const observed: string[] = []
    const components: LookupComponents<string> = {
      map,
      suspects,
      routing: learning,
      peers: { lookup: (to, request) => this.#deliver(to, request) },
      clock: { monotonicMs: () => this.nowMs },
      responsible: () => (name === this.owner ? { here: true, view: `view of ${name}` } : this.views[name]),
      keepView: view => kept.push(view),
      observe: suspect => observed.push(nameOf(suspect.nodeId)),
    }
    return { map, suspects, lookups: new Lookups(components), kept, observed }
  }

  async #deliver(to: MapRecord, request: LookupRequest): Promise<LookupReply<string>> {
    const name = nameOf(to.nodeId)
    this.requests.push({ to: name, request })
    this.onRequest(name, request)
    if (this.down.has(name)) throw new StoreError('UNAVAILABLE', 'It is down.')
    const reply = await this.node(name).lookups.answer(request, signal)
    this.replies.push(reply)
    return reply
  }
}

const chainOf = (result: { chain: readonly MapRecord[] }) =>
  result.chain.map(({ nodeId }) => nameOf(nodeId)).join(' ')

t.test('the responsible node answers itself: its chain is itself, without a hop', async t => {
  const network = new TestNetwork({ a: 'b', b: '' }, 'a')
  const result = await network.lookup('a')
  t.match(result, { view: 'view of a', hops: 0, failed: 0 })
  t.equal(chainOf(result), 'a')
})

t.test(
  'a lookup goes from node to node, brings back the chain, and improves every node on the way',
  async t => {
    const network = new TestNetwork({ a: 'b', b: 'c', c: 'd', d: '' }, 'd')
    const ms: Record<string, number> = { b: 1, c: 2, d: 3 }
    network.onRequest = name => {
      network.nowMs += ms[name] ?? 0
    }
    const result = await network.lookup('a')
    t.match(result, { view: 'view of d', hops: 3, failed: 0 })
    t.equal(chainOf(result), 'a b c d')
    t.same(result.hopMs, [6, 5, 3], 'each step with all that lies behind it')
    t.same(network.knownTo('a'), ['a', 'b', 'c', 'd'])
    t.same(network.knownTo('b'), ['b', 'c', 'd'])
    t.same(network.knownTo('c'), ['c', 'd'])
    for (const name of ['a', 'b', 'c'])
      t.same(network.node(name).kept, ['view of d'], `${name} keeps the view`)
    const again = await network.lookup('a')
    t.equal(chainOf(again), 'a d', 'the second time it is one hop')
  },
)

t.test('no node is asked twice, even when maps point in a circle', async t => {
  const network = new TestNetwork({ a: 'b', b: 'a c', c: 'a b' }, 'nobody')
  await t.rejects(network.lookup('a'), { code: 'UNAVAILABLE', message: /2 nodes were tried/ })
  t.same(
    network.requests.map(({ to }) => to),
    ['b', 'c'],
  )
})

t.test('a dead end is no failure: the next best node is tried, and nobody is suspected', async t => {
  const network = new TestNetwork({ a: 'b c', b: '', c: 'd', d: '' }, 'd')
  const result = await network.lookup('a')
  t.equal(chainOf(result), 'a c d')
  t.equal(result.failed, 0)
  t.equal(network.node('a').suspects.size, 0)
})

t.test(
  'a node that cannot be reached becomes suspect, the next best is tried, and the suspicion goes along',
  async t => {
    const network = new TestNetwork({ a: 'b d', b: '', d: '' }, 'd')
    const key = keyOf('b')
    network.down.add('b')
    const result = await network.lookup('a', key)
    t.equal(chainOf(result), 'a d')
    t.match(result, { hops: 2, failed: 1 })
    t.ok(network.node('a').suspects.isSuspect(record('b').nodeId, 0))
    t.same(network.node('d').observed, ['b'], 'the responsible node is asked to be the second observer')
    await network.lookup('a', key)
    t.same(
      network.requests.map(({ to }) => to),
      ['b', 'd', 'd'],
      'a suspect is not asked while another node is left',
    )
  },
)

t.test('the second observer makes a death of it, and the notice travels back with the chain', async t => {
  const network = new TestNetwork({ a: 'b', b: 'x d', d: 'x' }, 'd', 'chain')
  const key = keyOf('x')
  network.down.add('x')
  network.node('b').suspects.observe(record('x'), record('other').nodeId, 0)
  network.node('b').suspects.clear(record('x').nodeId)
  await network.node('d').lookups.answer(
    {
      key,
      visited: [record('z').nodeId],
      hopsLeft: 9,
      budgetMs: 1_000,
      suspects: [{ suspect: record('x'), observer: record('z').nodeId }],
    },
    signal,
  )
  const result = await network.lookup('a', key)
  t.equal(chainOf(result), 'a b d')
  for (const name of ['a', 'b', 'd'])
    t.match(network.node(name).map.record(record('x').nodeId), { status: 'dead' }, `${name} knows`)
})

t.test('one observer is one observer, however many nodes pass on what it saw', async t => {
  const network = new TestNetwork({ a: 'x b', b: 'c', c: 'd', d: 'x' }, 'd')
  network.down.add('x')
  await network.lookup('a', keyOf('x'))
  t.match(network.node('d').map.record(record('x').nodeId), { status: 'alive' })
  t.ok(network.node('d').suspects.isSuspect(record('x').nodeId, 0))
})

t.test('who knows better says so: a refuted suspicion comes back as a notice', async t => {
  const network = new TestNetwork({ a: 'x d', d: '' }, 'd')
  network.down.add('x')
  network.node('d').map.merge(record('x', { incarnation: 1 }), 0)
  await network.lookup('a', keyOf('x'))
  t.match(network.node('a').map.record(record('x').nodeId), { status: 'alive', incarnation: 1 })
  t.notOk(network.node('a').suspects.isSuspect(record('x').nodeId, 0))
})

t.test('a node that hears that it is suspected refutes it', async t => {
  const network = new TestNetwork({ a: '', d: '' }, 'd')
  const suspicion = { suspect: record('d'), observer: record('z').nodeId }
  const reply = await network
    .node('d')
    .lookups.answer(
      { key: keyOf('d'), visited: [], hopsLeft: 9, budgetMs: 1_000, suspects: [suspicion] },
      signal,
    )
  t.match(reply.notices, [{ nodeId: 'node-d', incarnation: 1, status: 'alive' }])
  t.match(reply.chain, [{ nodeId: 'node-d', incarnation: 1 }])
})

t.test('a suspect is asked after all when it is the last one left', async t => {
  const network = new TestNetwork({ a: 'd', d: '' }, 'd')
  network.node('a').suspects.observe(record('d'), record('z').nodeId, 0)
  t.equal(chainOf(await network.lookup('a')), 'a d')
  t.notOk(network.node('a').suspects.isSuspect(record('d').nodeId, 0))
})

t.test('of the nodes that a view names a suspect is asked last', async t => {
  const views = { a: { here: false, replicas: [record('c'), record('d')] } } as const
  const network = new TestNetwork({ a: 'c', c: '', d: '' }, 'd', 'chain', views)
  network.node('a').suspects.observe(record('c'), record('z').nodeId, 0)
  t.equal(chainOf(await network.lookup('a')), 'a d')
  t.same(
    network.requests.map(({ to }) => to),
    ['d'],
  )
})

t.test('a node that refuses is passed over but not suspected', async t => {
  const network = new TestNetwork({ a: 'b d', b: '', d: '' }, 'd')
  network.onRequest = to => {
    if (to === 'b') throw new StoreError('OVERLOADED', 'Too much to do.')
  }
  t.equal(chainOf(await network.lookup('a', keyOf('b'))), 'a d')
  t.equal(network.node('a').suspects.size, 0)
})

t.test(
  'a view that is known wins over the map, and the map helps out when its replicas are gone',
  async t => {
    const views = { a: { here: false, replicas: [record('c'), record('d')] } } as const
    const network = new TestNetwork({ a: 'b c', b: 'd', c: '', d: '' }, 'd', 'chain', views)
    const key = keyOf('b')
    network.down.add('c')
    t.equal(chainOf(await network.lookup('a', key)), 'a d', 'd is in no map of a, only in the view')
    t.same(
      network.requests.map(({ to }) => to),
      ['c', 'd'],
    )
    const without = new TestNetwork({ a: 'b', b: 'd', d: '' }, 'd', 'chain', {
      a: { here: false, replicas: [record('c')] },
    })
    without.down.add('c')
    t.equal(chainOf(await without.lookup('a', key)), 'a b d')
  },
)

t.test('a lookup sends no more messages than it may, whatever the shape of the network', async t => {
  const names = Array.from({ length: 60 }, (_, index) => `n${index}`)
  const everybody = names.join(' ')
  const blind = new TestNetwork(Object.fromEntries(names.map(name => [name, everybody])), 'nobody')
  await t.rejects(blind.lookup('n0'), { code: 'UNAVAILABLE' })
  t.equal(blind.requests.length, HOPS_MAX)
  const line = new TestNetwork(Object.fromEntries(names.map((name, index) => [name, `n${index + 1}`])), 'n59')
  await t.rejects(line.lookup('n0'), { code: 'UNAVAILABLE' })
  t.equal(line.requests.length, HOPS_MAX)
})

t.test('a forged request has no more hops than any other', async t => {
  const names = Array.from({ length: 60 }, (_, index) => `n${index}`)
  const network = new TestNetwork(
    Object.fromEntries(names.map((name, index) => [name, `n${index + 1}`])),
    'nobody',
  )
  const request = { key: keyOf('n59'), visited: [], hopsLeft: 1e9, budgetMs: 1e9, suspects: [] }
  await network.node('n0').lookups.answer(request, signal)
  t.equal(network.requests.length, HOPS_MAX)
})

t.test('time shrinks with each hop, and ends the search', async t => {
  const short = { budgetMs: 1_000, signal }
  const network = new TestNetwork({ a: 'b', b: 'd', d: '' }, 'd')
  await network.node('a').lookups.lookup(keyOf('d'), short)
  const [first, second] = network.requests.map(({ request }) => request.budgetMs) as [number, number]
  t.ok(first > 500 && first < 700, 'enough for the first try, and some for the next')
  t.ok(second > 0.5 * first && second < 0.7 * first)
  const slow = new TestNetwork({ a: 'b c d', b: '', c: '', d: '' }, 'nobody')
  slow.onRequest = () => {
    slow.nowMs += 600
    throw new StoreError('UNAVAILABLE', 'No answer in time.')
  }
  await t.rejects(slow.node('a').lookups.lookup(keyOf('d'), short), { code: 'UNAVAILABLE' })
  t.equal(slow.requests.length, 2)
})

t.test('an abort ends the lookup with its reason and suspects nobody', async t => {
  const network = new TestNetwork({ a: 'b', b: '' }, 'b')
  const abort = new AbortController()
  const reason = new Error('the client went away')
  network.onRequest = () => {
    abort.abort(reason)
    throw reason
  }
  await t.rejects(
    network.node('a').lookups.lookup(keyOf('b'), { budgetMs: 1_000, signal: abort.signal }),
    reason,
  )
  t.equal(network.node('a').suspects.size, 0)
})

t.test('a programmer error is not taken for an unreachable node', async t => {
  const network = new TestNetwork({ a: 'b', b: '' }, 'b')
  network.onRequest = () => {
    throw new TypeError('a defect')
  }
  await t.rejects(network.lookup('a'), TypeError)
})

t.test('in mode path both sides of each hop learn more than the chain', async t => {
  const network = new TestNetwork({ a: 'b', b: 'd e f g', d: '', e: '', f: '', g: '' }, 'd', 'path')
  await network.lookup('a')
  t.ok(network.knownTo('b').includes('a'), 'b learned who asked')
  t.ok(network.knownTo('d').includes('b'))
  t.ok(network.knownTo('a').length > 4, 'a was told what it lacked')
})
