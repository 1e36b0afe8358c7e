import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { ListAnswer, ListAsk, ListedArc } from '../../src/calls/calls.ts'
import { type ListSource, listBatches, oneBatch } from '../../src/files/listing.ts'
import { coverRing, mergeParts, NetworkList } from '../../src/operations/network-list.ts'
import { partHere } from '../../src/operations/own-part.ts'
import { arcContains } from '../../src/ring/arc.ts'
import { type Address, type Identifier, identifierOfPath, type NodeId } from '../../src/ring/identifier.ts'
import { comparePathNames, parsePathName } from '../../src/ring/path-name.ts'
import type { ETag } from '../../src/storage/record.ts'
import { type ListEntry, placeOf } from '../../src/storage/storage.ts'
import { listSource } from '../files/list-source.ts'
import { manualEnv } from '../manual-env.ts'
import { anyIdentifier } from '../ring/any.ts'

const line = (name: string, size = 1): ListEntry => ({
  path: parsePathName(name),
  size,
  etag: '"x"' as ETag,
  mediaType: '',
  writtenAtMs: 0,
})

/** The arcs between these points, all of one epoch. */
function arcsBetween(points: readonly Identifier[], epoch = 1): ListedArc[] {
  const sorted = [...points].sort()
  return sorted.map((hi, i) => ({ lo: sorted.at(i - 1) as Identifier, hi, epoch }))
}

/** What the head of these arcs would answer, having looked at `lookedAt` files. */
function partOf(files: readonly ListEntry[], arcs: readonly ListedArc[], lookedAt: number): ListAnswer {
  const seen = files.slice(0, lookedAt)
  const upTo = lookedAt < files.length ? seen.at(-1)?.path : undefined
  const isMine = ({ path }: ListEntry) => arcs.some(arc => arcContains(arc, identifierOfPath(path)))
  return { lines: seen.filter(isMine), upTo, arcs }
}

const anyFiles = fc
  .uniqueArray(fc.stringMatching(/^[a-d]{1,3}$/), { maxLength: 30 })
  .map(names => names.map(name => line(name)).sort((a, b) => comparePathNames(a.path, b.path)))
const anyPoints = fc.uniqueArray(anyIdentifier, { minLength: 1, maxLength: 8 })

t.test('the parts of any partition are the whole, as far as every part has come', async () => {
  fc.assert(
    fc.property(
      anyFiles,
      anyPoints,
      fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 4, maxLength: 4 }),
      fc.integer({ min: 1, max: 40 }),
      (files, points, owners, lookedAt, limit) => {
        const arcs = arcsBetween(points)
        const parts = lookedAt.map((many, owner) =>
          partOf(
            files,
            arcs.filter((_, i) => owners[i] === owner),
            many,
          ),
        )
        const merged = mergeParts(parts, { prefix: '', limit })
        assert.deepEqual(merged.listed, files.slice(0, merged.listed.length))
        assert.ok(merged.listed.length <= limit)
        const reached = Math.min(files.length, limit, ...lookedAt)
        assert.ok(merged.listed.length >= reached, 'it gets on')
        if (merged.listed.length < files.length) assert.notEqual(merged.upTo, undefined)
      },
    ),
  )
})

t.test('a list that lacks a range is an error', async t => {
  fc.assert(
    fc.property(fc.uniqueArray(anyIdentifier, { minLength: 2, maxLength: 8 }), fc.nat(), (points, chosen) => {
      const arcs = arcsBetween(points)
      const missing = arcs.filter((_, i) => i !== chosen % arcs.length)
      assert.throws(
        () => mergeParts([{ lines: [], upTo: undefined, arcs: missing }], { prefix: '', limit: 1 }),
        {
          code: 'UNAVAILABLE',
        },
      )
    }),
  )
  t.throws(() => mergeParts([], { prefix: '', limit: 1 }), { code: 'UNAVAILABLE' })
})

/** One point makes one arc, the whole ring. */
const WHOLE = '0'.repeat(40) as Identifier

t.test('a head that was succeeded and does not know it spoils nothing', async () => {
  fc.assert(
    fc.property(anyFiles, anyPoints, anyPoints, fc.nat(), (files, points, oldPoints, chosen) => {
      const now = partOf(files, arcsBetween(points, 2), 100)
      const old = arcsBetween(oldPoints, 1)
      const stale = [old[chosen % old.length] as ListedArc]
      const gone = [line('aaaa'), ...files.map(({ path }) => line(path, 99))]
      const merged = mergeParts([partOf(gone, stale, 100), now], { prefix: '', limit: 100 })
      assert.deepEqual(merged.listed, files)
    }),
    { examples: [[[], [WHOLE], [WHOLE], 0]] },
  )
})

const anyDeepFiles = fc
  .uniqueArray(fc.stringMatching(/^[ab0](\/?[ab0]){0,4}$/), { maxLength: 40 })
  .map(names => names.map(name => line(name)).sort((a, b) => comparePathNames(a.path, b.path)))

/** What the head of these arcs keeps, through the walk that looks for common prefixes. */
function levelsOf(files: readonly ListEntry[], arcs: readonly ListedArc[], ask: ListAsk): ListAnswer {
  const storage = {
    *list(prefix: string, after = '') {
      for (const file of files)
        if (file.path.startsWith(prefix) && comparePathNames(file.path, after) > 0) yield file
    },
  }
  return { ...partHere(storage, ask, arcs, new Set()), arcs }
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

t.test('levels come from all heads, and from nodes that know no levels, once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyDeepFiles,
      anyPoints,
      fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }),
      fc.constantFrom('', 'a', 'a/', 'b/a/'),
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      async (files, points, owners, prefix, limit, hasOldNode) => {
        const arcs = arcsBetween(points)
        const arcsOf = (owner: number) => arcs.filter((_, i) => owners[i] === owner)
        const part = (owner: number, ask: ListAsk) =>
          levelsOf(files, arcsOf(owner), owner === 1 && hasOldNode ? { ...ask, delimiter: undefined } : ask)
        const list = new NetworkList({
          env: manualEnv(),
          signal: new AbortController().signal,
          own: async ask => part(0, ask),
          askOthers: async ask => ({
            parts: [1, 2, 3].map(owner => part(owner, ask)),
            silent: [],
            isInVain: false,
          }),
          whenLost: async () => [],
        })
        const source = listSource(files.map(({ path }) => path))
        const query = { prefix, delimiter: '/', limit } as const
        const places = async ({ list }: ListSource) =>
          (await collected(listBatches({ list }, { ...query, limit: 100 }))).flat().map(placeOf)
        assert.deepEqual((await list.list(query)).map(placeOf), (await source.list(query)).map(placeOf))
        const all: string[] = []
        for (let after: string | undefined; ; ) {
          const page = await oneBatch(list, { ...query, after })
          all.push(...page.listed.map(placeOf))
          if (page.next === undefined) break
          after = page.next
        }
        assert.deepEqual(all, await places(source))
      },
    ),
  )
})

t.test('a level of many folders takes pages, not a question for each folder', async t => {
  const files = Array.from({ length: 1_000 }, (_, i) =>
    line(`f/${String(i).padStart(4, '0')}/${'x'.repeat(3)}`),
  )
  const [near, far] = arcsBetween(['0'.repeat(40), '8'.repeat(40)] as Identifier[])
  let asked = 0
  const list = new NetworkList({
    env: manualEnv(),
    signal: new AbortController().signal,
    own: async ask => levelsOf(files, [near as ListedArc], ask),
    askOthers: async ask => {
      asked++
      return { parts: [levelsOf(files, [far as ListedArc], ask)], silent: [], isInVain: false }
    },
    whenLost: async () => [],
  })
  const listed = await collected(
    listBatches(list, { prefix: 'f/', delimiter: '/', limit: Number.POSITIVE_INFINITY }),
  )
  t.equal(listed.flat().length, 1_000)
  t.ok(asked <= 6, `${asked} questions`)
})

t.test('coverage agrees with looking at every boundary', async () => {
  const anyArc = fc.record({ lo: anyIdentifier, hi: anyIdentifier })
  fc.assert(
    fc.property(fc.array(anyArc, { maxLength: 6 }), arcs => {
      const after = (position: Identifier) =>
        ((BigInt(`0x${position}`) + 1n) % 2n ** 160n).toString(16).padStart(40, '0') as Identifier
      const points = arcs.flatMap(({ hi }) => [hi, after(hi)])
      const covered = arcs.length > 0 && points.every(point => arcs.some(arc => arcContains(arc, point)))
      assert.equal(coverRing(arcs), covered)
    }),
    { numRuns: 2000 },
  )
})

t.test('a path is listed once, whoever lists it twice', async () => {
  fc.assert(
    fc.property(anyFiles, anyPoints, fc.integer({ min: 1, max: 40 }), (files, points, limit) => {
      const part = partOf(files, arcsBetween(points), 100)
      assert.deepEqual(mergeParts([part, part], { prefix: '', limit }).listed, files.slice(0, limit))
    }),
  )
})

/** A list of a network in which this node has one half of the ring, and the other one is answered for now and then. */
function listOf(answers: () => 'whole' | 'half', missing: string[] = [], isInVain = false) {
  const env = manualEnv()
  const [near, far] = arcsBetween(['0'.repeat(40), '8'.repeat(40)] as Identifier[])
  const part = (arcs: unknown[]) => ({ lines: [], upTo: undefined, arcs }) as ListAnswer
  const silent = [{ nodeId: 'n2' as NodeId, address: 'n2:1' as Address }]
  const list = new NetworkList({
    env,
    signal: new AbortController().signal,
    own: async () => part([near]),
    askOthers: async () =>
      answers() === 'whole'
        ? { parts: [part([far])], silent: [], isInVain: false }
        : { parts: [], silent, isInVain },
    whenLost: async () => missing as Address[],
  })
  return { env, list }
}

t.test('a list goes on as soon as somebody answers for the range of a silent node', async t => {
  let answer: 'whole' | 'half' = 'half'
  const { env, list } = listOf(() => answer)
  const listed = list.list({ prefix: '', limit: 10 })
  await env.advance(3_000)
  answer = 'whole'
  await env.advance(1_000)
  t.same(await listed, [])
})

t.test('a list that stays incomplete is refused, and names who is missing', async t => {
  const { env, list } = listOf(() => 'half')
  const refused = t.rejects(list.list({ prefix: '', limit: 10 }), { code: 'UNAVAILABLE', missing: ['n2:1'] })
  await env.advance(10_000)
  await refused
  const lost = listOf(() => 'half', ['n3:1'])
  const atOnce = t.rejects(lost.list.list({ prefix: '', limit: 10 }), {
    code: 'UNAVAILABLE',
    missing: ['n3:1'],
  })
  await atOnce
})

t.test('a list that waits in vain for a node that hangs is refused soon', async t => {
  const { env, list } = listOf(() => 'half', [], true)
  const refused = t.rejects(list.list({ prefix: '', limit: 10 }), { code: 'UNAVAILABLE', missing: ['n2:1'] })
  await env.advance(2_000)
  await refused
  t.equal(env.waiting, 0)
})
