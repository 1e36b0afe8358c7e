import fc from 'fast-check'
import t from 'tap'
import {
  type Address,
  identifierOfPath,
  identifierPrefix,
  identifiersOfAddress,
  parseIdentifier,
} from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { anyIdentifier } from './any.ts'

t.test('identifiers are SHA-1, as published for well-known texts', async t => {
  t.equal(identifierOfPath(parsePathName('abc')), 'a9993e364706816aba3e25717850c26c9cd0d89d')
  t.equal(
    identifierOfPath(parsePathName('The quick brown fox jumps over the lazy dog')),
    '2fd4e1c67a2d28fced849ee1bb76e7391b93eb12',
  )
})

t.test(
  'a node has one identifier for each virtual node, the first being that of the original system',
  async t => {
    const address = '127.0.0.1:5000' as Address
    const [only, ...none] = identifiersOfAddress(address, 1)
    t.equal(only, identifierOfPath(parsePathName('127.0.0.1:5000')))
    t.same(none, [])
    const eight = identifiersOfAddress(address, 8)
    t.equal(eight[0], only)
    t.equal(eight[7], identifierOfPath(parsePathName('127.0.0.1:5000#7')))
    t.equal(new Set(eight).size, 8)
  },
)

t.test('a node without a position is a fault of the program', async t => {
  for (const count of [0, -1, 1.5, Number.NaN])
    t.throws(() => identifiersOfAddress('a:1' as Address, count), TypeError)
})

t.test('only 40 lower-case hexadecimal digits are an identifier', async t => {
  t.equal(parseIdentifier('0'.repeat(40)), '0'.repeat(40))
  for (const text of [
    '',
    '0'.repeat(39),
    '0'.repeat(41),
    'A'.repeat(40),
    `${'0'.repeat(39)}g`,
    `${'0'.repeat(40)}\n`,
  ])
    t.throws(() => parseIdentifier(text), TypeError, JSON.stringify(text))
})

t.test('prefixes are exact integers and keep the order of the ring', async t => {
  t.equal(identifierPrefix(parseIdentifier('f'.repeat(40))), 2 ** 52 - 1)
  t.equal(identifierPrefix(parseIdentifier(`${'0'.repeat(12)}1${'f'.repeat(27)}`)), 1)
  fc.assert(
    fc.property(anyIdentifier, anyIdentifier, (a, b) => {
      if (identifierPrefix(a) < identifierPrefix(b)) return a < b
      if (identifierPrefix(a) > identifierPrefix(b)) return a > b
      return a.slice(0, 13) === b.slice(0, 13)
    }),
  )
})
