import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { ListAnswer, ListedArc } from '../../src/membership/calls.ts'
import { coverRing, mergeParts, NetworkList } from '../../src/membership/network-list.ts'
import { arcContains } from '../../src/ring/arc.ts'
import { type Address, type Identifier, identifierOfPath, type NodeId } from '../../src/ring/identifier.ts'
import { comparePathNames, parsePathName } from '../../src/ring/path-name.ts'
import type { ETag } from '../../src/storage/record.ts'
import type { ListEntry } from '../../src/storage/storage.ts'
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
        const merged = mergeParts(parts, limit)
        assert.deepEqual(merged.lines, files.slice(0, merged.lines.length))
        assert.ok(merged.lines.length <= limit)
        const reached = Math.min(files.length, limit, ...lookedAt)
        assert.ok(merged.lines.length >= reached, 'it gets on')
        if (merged.lines.length < files.length) assert.notEqual(merged.upTo, undefined)
      },
    ),
  )
})

t.test('a list that lacks a range is an error', async t => {
  fc.assert(
    fc.property(fc.uniqueArray(anyIdentifier, { minLength: 2, maxLength: 8 }), fc.nat(), (points, chosen) => {
      const arcs = arcsBetween(points)
      const missing = arcs.filter((_, i) => i !== chosen % arcs.length)
      assert.throws(() => mergeParts([{ lines: [], upTo: undefined, arcs: missing }], 1), {
        code: 'UNAVAILABLE',
      })
    }),
  )
  t.throws(() => mergeParts([], 1), { code: 'UNAVAILABLE' })
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
      const merged = mergeParts([partOf(gone, stale, 100), now], 100)
      assert.deepEqual(merged.lines, files)
    }),
    { examples: [[[], [WHOLE], [WHOLE], 0]] },
  )
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
      assert.deepEqual(mergeParts([part, part], limit).lines, files.slice(0, limit))
    }),
  )
})

/** A list of a network in which this node has one half of the ring, and the other one is answered for now and then. */
function listOf(answers: () => 'whole' | 'half', missing: string[] = []) {
  const env = manualEnv()
  const [near, far] = arcsBetween(['0'.repeat(40), '8'.repeat(40)] as Identifier[])
  const part = (arcs: unknown[]) => ({ lines: [], upTo: undefined, arcs }) as ListAnswer
  const silent = [{ nodeId: 'n2' as NodeId, address: 'n2:1' as Address }]
  const list = new NetworkList({
    env,
    signal: new AbortController().signal,
    own: async () => part([near]),
    askOthers: async () =>
      answers() === 'whole' ? { parts: [part([far])], silent: [] } : { parts: [], silent },
    missing: () => missing as Address[],
  })
  return { env, list }
}

t.test('a list goes on as soon as somebody answers for the range of a silent node', async t => {
  let answer: 'whole' | 'half' = 'half'
  const { env, list } = listOf(() => answer)
  const listed = list.list('', undefined, 10)
  await env.advance(3_000)
  answer = 'whole'
  await env.advance(1_000)
  t.same(await listed, [])
})

t.test('a list that stays incomplete is refused, and names who is missing', async t => {
  const { env, list } = listOf(() => 'half')
  const refused = t.rejects(list.list('', undefined, 10), { code: 'UNAVAILABLE', missing: ['n2:1'] })
  await env.advance(10_000)
  await refused
  const lost = listOf(() => 'half', ['n3:1'])
  const atOnce = t.rejects(lost.list.list('', undefined, 10), { code: 'UNAVAILABLE', missing: ['n3:1'] })
  await lost.env.advance(1_900)
  await atOnce
})
