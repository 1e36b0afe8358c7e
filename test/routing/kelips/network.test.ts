/**
 * Networks of maps that route by Kelips, without messages: what each node still knows after it has forgotten what it may, and how a key is
 * found by that.
 */
import t from 'tap'
import { identifierOfPath, identifierPrefix } from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import { isWithin } from '../../../src/routing/kelips/groups.ts'
import { CONTACTS, Kelips } from '../../../src/routing/kelips/kelips.ts'
import { Suspects } from '../../../src/routing/suspects.ts'
import { mapOf, record } from '../any.ts'

const COPIES = 3
const SAMPLE = 12

/** Some nodes of a network of so many that have forgotten what they may. */
function someOf(nodes: number): ReadonlyMap<string, Kelips> {
  const others = Array.from({ length: nodes - 1 }, (_, index) => record(`n${index}`))
  const names = Array.from({ length: SAMPLE }, (_, index) => `n${index * 7}`)
  return new Map(
    names.map(name => {
      const map = mapOf(
        name,
        [record('n'), ...others].filter(({ nodeId }) => nodeId !== `node-${name}`),
      )
      const parts = { map, suspects: new Suspects(), isThere: () => true, roundTripMs: () => 0 }
      const kelips = new Kelips(parts, { copies: () => COPIES })
      kelips.forget(() => false, 0)
      t.equal(map.knownCount < nodes || nodes < 100, true, 'a part of the network is known')
      return [name, kelips]
    }),
  )
}

t.test('lookups take one hop, with memory O(sqrt N)', async t => {
  for (const nodes of [200, 800, 3200]) {
    for (const [name, kelips] of someOf(nodes)) {
      const { groups = 0, group = 0, near = 0, contacts = 0 } = kelips.sizes()
      const known = group + near + contacts
      const root = Math.sqrt(nodes)
      t.ok(groups >= root / 3 && groups <= root * 3, `${groups} groups of ${nodes} nodes`)
      t.ok(known <= 8 * COPIES + 1 + (3 + 3 * CONTACTS) * root, `${name} knows ${known} of ${nodes}`)
      for (let key = 0; key < 50; key++) {
        const position = identifierOfPath(`${name}/${key}` as PathName)
        const prefix = identifierPrefix(position)
        if (kelips.answersFor(position) || kelips.near.some(arc => isWithin(arc, prefix))) continue
        const next = kelips.next(position, () => false)
        const home =
          next && identifierPrefix(mapOf('x', [next]).roster.entry(1 as never).identifiers[0] as never)
        t.ok(
          Math.floor((home ?? 0) / (2 ** 52 / groups)) === Math.floor(prefix / (2 ** 52 / groups)),
          'whoever is asked is of the group of the key, and knows its view',
        )
      }
    }
  }
})
