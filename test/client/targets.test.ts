import t from 'tap'
import { encodePath, originOf } from '../../src/client/targets.ts'

t.test('paths in URLs', async t => {
  t.equal(encodePath('a b/ü?#%/+'), 'a%20b/%C3%BC%3F%23%25/%2B')
  t.equal(encodePath(''), '')
})

t.test('the origin of a node', async t => {
  t.equal(originOf('http://127.0.0.1:5000/'), 'http://127.0.0.1:5000')
  t.equal(originOf('https://files.example:443'), 'https://files.example')
  for (const node of ['', 'files', 'ftp://a', 'http://a/b', 'http://a?b']) {
    t.throws(() => originOf(node), { code: 'INVALID_REQUEST' }, node)
  }
})
