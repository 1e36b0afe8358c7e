import fc from 'fast-check'
import t from 'tap'
import { comparePathNames } from '../../src/ring/path-name.ts'
import { byteOrderKey, SortedMap } from '../../src/storage/sorted-map.ts'

t.test('it holds what a plain map holds, in order', async t => {
  const step = fc.record({ put: fc.boolean(), key: fc.constantFrom(...'abcdefgh') })
  fc.assert(
    fc.property(fc.array(step), fc.constantFrom('', ...'abcdefgh'), (steps, first) => {
      const [sorted, plain] = [new SortedMap<number>(), new Map<string, number>()]
      for (const [i, { put, key }] of steps.entries()) {
        if (put) sorted.set(key, i)
        else sorted.delete(key)
        if (put) plain.set(key, i)
        else plain.delete(key)
      }
      for (const key of 'abcdefgh') t.equal(sorted.get(key), plain.get(key))
      const expected = [...plain].filter(([key]) => key >= first).sort()
      t.strictSame([...sorted.from(first)], expected)
    }),
    { numRuns: 50 },
  )
})

t.test('keys of text sort as its UTF-8 bytes do', async t => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '\uff5e', '\u{1f600}') })
  fc.assert(
    fc.property(text, text, (one, other) => {
      const [left, right] = [byteOrderKey(one), byteOrderKey(other)]
      const order = left < right ? -1 : left > right ? 1 : 0
      t.equal(order, comparePathNames(one, other))
    }),
    { numRuns: 200 },
  )
})
