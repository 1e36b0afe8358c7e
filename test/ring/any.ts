/** The arbitrary values of the ring for property tests. */
import fc from 'fast-check'
import { type Identifier, parseIdentifier } from '../../src/ring/identifier.ts'

/** Few different digits and both ends of the ring, so that equal and neighbouring identifiers come up often. */
export const anyIdentifier: fc.Arbitrary<Identifier> = fc
  .oneof(
    fc.stringMatching(/^[0-9a-f]{40}$/),
    fc.stringMatching(/^[0-2]{2}$/).map(text => text.padEnd(40, '0')),
    fc.stringMatching(/^[0-2]{2}$/).map(text => text.padStart(40, '0')),
    fc.constantFrom('0'.repeat(40), 'f'.repeat(40), `${'f'.repeat(39)}e`),
  )
  .map(parseIdentifier)
