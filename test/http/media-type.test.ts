import fc from 'fast-check'
import t from 'tap'
import { DEFAULT_MEDIA_TYPE, storedMediaType } from '../../src/http/media-type.ts'

t.test('a well-formed media type is kept as it is', async t => {
  for (const type of [
    'text/plain',
    'Text/HTML; charset="utf-8"',
    'application/x-nobody+knows',
    'a/b;c=d;e="f\\"g"',
    'a/b;',
  ]) {
    t.equal(storedMediaType(type), type)
  }
})

t.test('anything else is a sequence of bytes', async t => {
  const types = [
    undefined,
    '',
    'text',
    'text/',
    '/plain',
    'a b/c',
    'a/b; c',
    'a/b\r\nX: y',
    'a/b;c="d\n"',
    'é/é',
    `a/${'b'.repeat(255)}`,
  ]
  for (const type of types)
    t.equal(storedMediaType(type), DEFAULT_MEDIA_TYPE, JSON.stringify(type)?.slice(0, 40) ?? 'undefined')
})

t.test('law: nothing that ends a header line gets through, and no input takes long', async _t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 300 }), noise => {
      const stored = storedMediaType(`a/b;c="${noise}"`)
      return stored.length <= 255 && !/[\r\n\0]/.test(stored)
    }),
  )
})
