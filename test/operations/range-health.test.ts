import t from 'tap'
import type { OverlayRange } from '../../src/operations/overlay.ts'
import { faultOf } from '../../src/operations/range-health.ts'
import type { Identifier, NodeId } from '../../src/ring/identifier.ts'

const nodes = (names: string) => [...names] as NodeId[]
const ZERO = '0'.repeat(40) as Identifier
const range = (
  replicas: string,
  acceptors: string,
  state: OverlayRange['state'] = 'serving',
): OverlayRange => {
  return {
    lo: ZERO,
    hi: ZERO,
    share: 1,
    epoch: 1,
    replicas: nodes(replicas),
    acceptors: nodes(acceptors),
    state,
  }
}

t.test('a range has what the size of the network allows, or says what it lacks', async t => {
  const rows: [what: string, range: OverlayRange, present: string, silent: string, kind?: string][] = [
    ['alone', range('a', 'a'), 'a', ''],
    ['two', range('ab', 'a'), 'ab', ''],
    ['three', range('abc', 'abc'), 'abc', ''],
    ['five', range('abc', 'abcde'), 'abcde', ''],
    ['two of three are left, the third one still votes', range('ab', 'abc'), 'ab', 'c'],
    ['no replica answers', range('ab', 'abc'), 'c', 'ab', 'lost'],
    ['most acceptors are silent', range('abc', 'abc'), 'a', 'bc', 'lost'],
    ['the only acceptor is silent', range('ab', 'a'), 'b', 'a', 'lost'],
    ['nobody knows it', range('', '', 'unknown'), 'abc', '', 'lost'],
    ['a replica is silent', range('abc', 'abc'), 'ab', 'c', 'repairable'],
    ['too few replicas', range('ab', 'abc'), 'abc', '', 'repairable'],
    ['too few acceptors', range('abc', 'abc'), 'abcde', '', 'repairable'],
    ['an acceptor is silent and another could be one', range('abc', 'abcde'), 'abcdf', 'e', 'repairable'],
    ['its view is changing', range('abc', 'abc', 'changing'), 'abc', '', 'repairable'],
    ['bodies are on their way', range('abc', 'abc', 'back-filling'), 'abc', '', 'repairable'],
  ]
  for (const [what, one, present, silent, kind] of rows) {
    const attendance = { present: new Set(nodes(present)), silent: new Set(nodes(silent)) }
    t.equal(faultOf(one, attendance, 3)?.kind, kind, what)
  }
})
