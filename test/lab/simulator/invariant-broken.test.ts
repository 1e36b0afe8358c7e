import t from 'tap'
import { InvariantBroken } from '../../../src/lab/simulator/invariant-broken.ts'

t.test('a broken rule says what it is about', async t => {
  t.match(new InvariantBroken('two successors', ['v1']), { message: 'two successors', subjects: ['v1'] })
})
