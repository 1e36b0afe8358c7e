import t from 'tap'
import * as is from '../../src/peer/shape.ts'

t.test('each shape lets its values pass, and no others', async t => {
  const rows: [name: string, shape: is.Shape, good: unknown[], bad: unknown[]][] = [
    ['integer', is.integer(1, 9), [1, 9], [0, 10, 1.5, '1', undefined, Number.NaN, 2 ** 60]],
    ['text', is.text(3, 1), ['a', 'abc'], ['', 'abcd', 7, '\ud800']],
    ['matching', is.matching(/^[0-9]$/), ['7'], ['77', 7, undefined]],
    ['oneOf', is.oneOf('a', 'b'), ['a'], ['c', undefined]],
    ['flag', is.flag, [true, false], [0, undefined]],
    ['finite', is.finite, [0.5], [Number.POSITIVE_INFINITY, '1']],
    ['bytes', is.bytes(2), [new Uint8Array(2), Buffer.alloc(1)], [new Uint8Array(3), [1], 'a']],
    ['list', is.list(is.flag, 2), [[], [true]], [[true, 1], [true, true, true], {}]],
    ['tuple', is.tuple(is.flag, is.finite), [[true, 1]], [[true], [1, true], [true, 1, 2]]],
    ['absentOr', is.absentOr(is.flag), [undefined, true], [null, 1]],
    ['either', is.either(is.flag, is.finite), [true, 1], ['a']],
    ['both', is.both(is.finite, is.integer()), [1], [1.5]],
    ['object', is.object({ a: is.flag }), [{ a: true }, { a: true, more: 1 }], [{}, { a: 1 }, null, [], 'a']],
  ]
  for (const [name, shape, good, bad] of rows) {
    for (const value of good) t.ok(shape(value), `${name} ${String(value)}`)
    for (const value of bad) t.notOk(shape(value), `not ${name} ${String(value)}`)
  }
})
