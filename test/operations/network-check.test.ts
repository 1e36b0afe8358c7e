import t from 'tap'
import type { PeerAnswer, PeerCall, RangeReport } from '../../src/calls/calls.ts'
import { StoreError } from '../../src/errors.ts'
import { merged, NetworkCheck, type NetworkCheckWord } from '../../src/operations/network-check.ts'
import type { CheckWord } from '../../src/replication/chain/range-check.ts'
import type { Identifier, NodeId } from '../../src/ring/identifier.ts'
import { manualEnv } from '../manual-env.ts'

const ZERO = '0'.repeat(40) as Identifier
const HALF = '8'.padEnd(40, '0') as Identifier
const ARCS = [
  { lo: ZERO, hi: HALF },
  { lo: HALF, hi: ZERO },
] as const
const gone = new StoreError('UNAVAILABLE', 'It did not answer.')
const WELL = { damaged: 0, underReplicated: 0, healed: 0, unhealed: 0 }

interface World {
  /** Nodes that answer. */
  present: string
  /** Nodes that do not answer, and are there. */
  hanging: string
  replicas: string
  epoch: number
  /** What a check of a range at a node tells before its end. */
  copies: Partial<Record<string, CheckWord[]>>
  heals: number
  /** Nodes that do not know anything but what was there in version 1. */
  outdated: Partial<Record<string, StoreError>>
  /** Told by each node when it is reminded. */
  onHeal: (world: World) => void
  /** Of each check. */
  onCheck: (world: World) => void
}

async function run(names: string, change: Partial<World> = {}) {
  const env = manualEnv()
  const world: World = {
    present: names,
    hanging: '',
    replicas: names,
    epoch: 1,
    copies: {},
    heals: 0,
    outdated: {},
    onHeal() {},
    onCheck() {},
    ...change,
  }
  const assertPresent = (node: string) => {
    if (!world.present.includes(node)) throw gone
  }
  const check = new NetworkCheck({
    env,
    members: () => [...names] as NodeId[],
    nameOf: node => `${node}:1`,
    copies: 3,
    signal: new AbortController().signal,
    ask: async (node, call: PeerCall): Promise<PeerAnswer> => {
      assertPresent(node)
      const outdated = world.outdated[node]
      if (call.kind !== 'ranges' && outdated) throw outdated
      if (call.kind === 'heal') {
        world.heals++
        world.onHeal(world)
        return { missing: 0 }
      }
      if (call.kind === 'digests') return { digests: call.prefixes.map(() => ({ count: 0, hash: '' })) }
      const nodes = [...world.replicas] as NodeId[]
      const acceptors = nodes.slice(0, nodes.length % 2 === 0 ? nodes.length - 1 : nodes.length)
      const word = (arc: (typeof ARCS)[number]): RangeReport => {
        return { ...arc, epoch: world.epoch, replicas: nodes, acceptors, state: 'serving' }
      }
      return { ranges: ARCS.map(word) }
    },
    hangs: node => world.hanging.includes(node),
    async *stream(node) {
      assertPresent(node)
      const outdated = world.outdated[node]
      if (outdated) throw outdated
      world.onCheck(world)
      yield* world.copies[node] ?? []
      yield { kind: 'end', files: 2, bytes: 10, epoch: world.epoch }
    },
  })
  const words: NetworkCheckWord[] = []
  let done = false
  const reading = (async () => {
    for await (const word of check.run()) if (!('done' in word) || word.done) words.push(word)
    done = true
  })()
  // Far enough for ranges that stand still to be given up.
  let turns = 0
  for (; !done && turns < 2_000; turns++) await env.advance(500)
  await reading
  return { words, last: words.at(-1), world, tookMs: turns * 500 }
}

t.test('a network in which all is well', async t => {
  const { words } = await run('abc')
  t.same(words, [{ ranges: 2, rangesAll: 2, files: 4, bytes: 60, ...WELL, done: true }])
})

t.test('copies that were damaged are named with their nodes', async t => {
  const copy = { kind: 'copy', path: 'x' as never, code: 'CORRUPT', message: 'Bad.' } as const
  const { words, last } = await run('abc', {
    copies: { b: [{ ...copy, healed: true }], c: [{ ...copy, healed: false }] },
  })
  t.equal(words.filter(word => 'path' in word && word.node === 'b:1' && word.healed).length, 2)
  t.match(last, { damaged: 4, healed: 2, unhealed: 2 })
})

t.test('nobody waits for a repair of the ranges of a node that hangs, which is named', async t => {
  const { words, last, tookMs } = await run('abcd', { present: 'abd', hanging: 'c', replicas: 'abc' })
  t.match(words[0], { node: 'c:1', code: 'UNAVAILABLE' })
  t.equal(words.filter(word => 'range' in word && !word.healed).length, 2)
  t.match(last, { ranges: 2, underReplicated: 2, healed: 0, unhealed: 2, done: true })
  t.ok(tookMs <= 1_000, `${tookMs} ms`)
})

t.test('a silent node is named, and its ranges are seen to until the others have them', async t => {
  const { words, last, world } = await run('abcd', {
    present: 'abd',
    replicas: 'abc',
    onHeal: world => {
      if (world.heals > 3) Object.assign(world, { replicas: 'abd', epoch: 2 })
    },
  })
  t.match(words[0], { node: 'c:1', code: 'UNAVAILABLE' })
  t.equal(words.filter(word => 'range' in word && word.healed).length, 2)
  t.match(last, { ranges: 2, underReplicated: 2, healed: 2, unhealed: 0, done: true })
  t.ok(world.heals > 3)
})

t.test('a node whose program is too old is named once, and counts neither as gone nor as behind', async t => {
  const outdated = new StoreError('PROTOCOL_UNSUPPORTED', 'It has to be upgraded.')
  const { words, last, world } = await run('abc', { outdated: { b: outdated } })
  t.same(
    words.filter(word => 'node' in word),
    [{ node: 'b:1', code: 'PROTOCOL_UNSUPPORTED', message: 'It has to be upgraded.' }],
  )
  t.match(last, { ranges: 2, underReplicated: 0, damaged: 0, unhealed: 1 })
  t.equal(world.heals, 2, 'the others are asked')
})

t.test('what does not come right in time, or never can, is told', async t => {
  const stuck = await run('abcd', { present: 'abd', replicas: 'abc' })
  t.match(stuck.last, { ranges: 2, underReplicated: 2, healed: 0, unhealed: 2 })
  const lost = await run('abc', { present: 'a', replicas: 'abc' })
  t.match(lost.last, { unhealed: 2 })
  t.match(
    lost.words.find(word => 'range' in word),
    { message: /recover/ },
  )
})

t.test('a range whose view changes while it is read is read again, though not for ever', async t => {
  let changes = 0
  const once = await run('abc', {
    onCheck: world => {
      if (changes++ === 0) world.epoch++
    },
  })
  t.match(once.last, { ranges: 2, unhealed: 0 })
  const always = await run('abc', {
    onCheck: world => {
      world.epoch++
    },
  })
  t.match(always.last, { unhealed: 2 })
  t.match(always.words[0], { message: /changed each time/ })
})

t.test('words of all come as they come, and one that fails ends alone', async t => {
  async function* counting(upTo: number) {
    for (let n = 1; n <= upTo; n++) yield n
  }
  async function* failing() {
    yield 7
    throw new Error('gone')
  }
  const seen = { a: [] as unknown[], b: [] as unknown[], c: [] as unknown[] }
  const streams = [
    ['a', counting(3)],
    ['b', failing()],
    ['c', counting(0)],
  ] as const
  for await (const { key, word, error } of merged(streams)) seen[key].push(word ?? (error as Error).message)
  t.same(seen, { a: [1, 2, 3], b: [7, 'gone'], c: [] })
})

t.test('whoever stops reading ends all of them', async t => {
  const ended: string[] = []
  async function* endless(name: string) {
    try {
      for (;;) yield name
    } finally {
      ended.push(name)
    }
  }
  for await (const { word } of merged([
    ['a', endless('a')],
    ['b', endless('b')],
  ])) {
    if (word === 'b') break
  }
  t.same(ended.sort(), ['a', 'b'])
})

t.test('nobody reads ahead of a slow reader', async t => {
  let made = 0
  async function* numbers() {
    for (;;) yield made++
  }
  let taken = 0
  for await (const { word } of merged([['a', numbers()]])) {
    taken++
    t.ok(made - (word ?? 0) <= 2)
    if (taken === 20) break
  }
})
