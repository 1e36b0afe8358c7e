import t from 'tap'
import { type Identifier, identifierPrefix } from '../../../src/ring/identifier.ts'
import { isWithin } from '../../../src/routing/kelips/groups.ts'
import { estimateNodes, neighbourhoodOf } from '../../../src/routing/kelips/neighbourhood.ts'
import { mapOf, record } from '../any.ts'

const COPIES = 2
const others = Array.from({ length: 100 }, (_, index) => record(`n${index}`))
const map = mapOf('a', others)
const own = map.roster.entry(map.self).identifiers[0] as Identifier

/** Other nodes from the nearest before to the farthest, or behind. */
function along(direction: 1 | -1) {
  const { roster } = map
  const start = roster.positionAtOrAfter(own)
  return Array.from({ length: 100 }, (_, step) => {
    const at = (((start + direction * (step + 1)) % roster.positions) + roster.positions) % roster.positions
    return { member: roster.memberAt(at), prefix: roster.prefixAt(at) }
  })
}

t.test('four times as many nodes as copies are near in each direction, the next one is not', async t => {
  const arc = neighbourhoodOf(map, own, COPIES, () => true)
  for (const direction of [1, -1] as const) {
    const isNear = along(direction)
      .slice(0, 4 * COPIES + 1)
      .map(({ prefix }) => isWithin(arc, prefix))
    t.same(isNear, [...Array.from({ length: 4 * COPIES }, () => true), false])
  }
})

t.test('who has failed stands for nobody: the next one is near instead', async t => {
  const failed = along(1)[0]?.member
  const arc = neighbourhoodOf(map, own, COPIES, member => member !== failed)
  t.ok(isWithin(arc, along(1)[4 * COPIES]?.prefix ?? 0))
})

t.test('in a small network everybody is near', async t => {
  const few = mapOf('a', others.slice(0, 10))
  const arc = neighbourhoodOf(few, own, COPIES, () => true)
  t.equal(arc.from, arc.to)
  t.equal(arc.from, identifierPrefix(own))
  t.equal(estimateNodes(few, [arc]), 11)
})
