import fc from 'fast-check'
import t from 'tap'
import { DigestTree, overlap, type Summand } from '../../../src/replication/chain/digest-tree.ts'
import { arcContains } from '../../../src/ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../../src/ring/identifier.ts'
import { anyIdentifier } from '../../ring/any.ts'
import { path } from './bench.ts'

const summand = (name: number, seq: number): Summand => {
  const at = path(`p${name}`)
  return { path: at, position: identifierOfPath(at), version: { epoch: 1, seq } }
}
const anyRecords = fc.uniqueArray(fc.tuple(fc.nat(200), fc.nat(3)), { selector: ([name]) => name })
const anyArc = fc.record({ lo: anyIdentifier, hi: anyIdentifier })

function treeOf(records: readonly Summand[]): DigestTree {
  const tree = new DigestTree()
  for (const record of records) tree.add(record)
  return tree
}

const digest = (
  tree: DigestTree,
  records: readonly Summand[],
  arc: { lo: Identifier; hi: Identifier },
  prefix = '',
) =>
  tree.digest(arc, prefix, leaf =>
    records.filter(({ position }) => position.startsWith(leaf) && arcContains(arc, position)),
  )

t.test('a digest stands for the records in the arc and under the prefix, and for no others', async () => {
  fc.assert(
    fc.property(anyRecords, anyArc, fc.constantFrom('', '0', 'a', 'ff'), (pairs, arc, prefix) => {
      const all = pairs.map(([name, seq]) => summand(name, seq))
      const some = all.filter(({ position }) => position.startsWith(prefix) && arcContains(arc, position))
      const found = digest(treeOf(all), all, arc, prefix)
      const whole = { lo: arc.lo, hi: arc.lo }
      return found.count === some.length && found.hash === digest(treeOf(some), some, whole).hash
    }),
  )
})

t.test('what is taken out leaves no trace, and leaves come back from stable storage', async t => {
  const records = [1, 2, 3, 4].map(name => summand(name, name))
  const zero = '0'.repeat(40) as Identifier
  const arc = { lo: zero, hi: zero }
  const tree = treeOf(records)
  tree.add(summand(9, 1))
  tree.remove(summand(9, 1))
  t.same(digest(tree, records, arc), digest(treeOf(records), records, arc))
  t.not(
    digest(treeOf([summand(1, 1)]), [], arc).hash,
    digest(treeOf([summand(1, 2)]), [], arc).hash,
    'the version counts',
  )
  const restored = new DigestTree()
  for (const { position } of records) {
    const leaf = position.slice(0, 4)
    const bytes = tree.leaf(leaf)
    if (bytes !== undefined && !restored.has(leaf)) restored.restore(leaf, bytes)
  }
  t.same(digest(restored, records, arc), digest(tree, records, arc))
  for (const record of records) tree.remove(record)
  t.same(digest(tree, [], arc), { count: 0, hash: '0-0-0-0' })
  t.equal(tree.has(''), false)
  t.equal(tree.leaf((records[0] as Summand).position.slice(0, 4)), undefined)
})

t.test('overlap agrees with the arc', async () => {
  fc.assert(
    fc.property(anyArc, anyIdentifier, fc.integer({ min: 0, max: 4 }), (arc, position, digits) => {
      const shared = overlap(arc, position.slice(0, digits))
      const inside = arcContains(arc, position)
      return shared === 'some' || inside === (shared === 'all')
    }),
    { numRuns: 1000 },
  )
})
