import t from 'tap'
import { parseBodyName, parseNodes, parseSha256 } from '../../src/peer/body-name.ts'

t.test('what becomes the name of a file is a name of a body and nothing else', async t => {
  t.equal(parseBodyName('0123456789abcdef'.repeat(2)), '0123456789abcdef'.repeat(2))
  for (const bad of [
    '',
    'a',
    '../../../../etc/passwd',
    `${'a'.repeat(32)}/..`,
    'A'.repeat(32),
    7,
    undefined,
    null,
  ]) {
    t.throws(() => parseBodyName(bad), { code: 'INVALID_REQUEST' }, `${bad}`)
  }
})

t.test('a body is announced with its hash', async t => {
  t.equal(parseSha256('ab'.repeat(32)), 'ab'.repeat(32))
  for (const bad of ['', 'ab', 'x'.repeat(64), undefined]) {
    t.throws(() => parseSha256(bad), { code: 'INVALID_REQUEST' }, `${bad}`)
  }
})

t.test('a body goes on to a few nodes', async t => {
  const node = 'ab'.repeat(16)
  t.same(parseNodes(''), [])
  t.same(parseNodes(`${node},n2`), [node, 'n2'])
  for (const bad of [',', 'a,', 'a/b', 'A', Array(16).fill('a').join(), undefined, ['a']]) {
    t.throws(() => parseNodes(bad), { code: 'INVALID_REQUEST' }, `${bad}`)
  }
})
