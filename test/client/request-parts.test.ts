import t from 'tap'
import { StoreClient } from '../../src/client/client.ts'
import { encodePath, metaHeaders, metaOf, originOf } from '../../src/client/request-parts.ts'
import { runningNode } from '../running-node.ts'

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

t.test('metadata goes out and comes back as fields', async t => {
  t.same(metaHeaders(undefined), {})
  t.same(metaHeaders({ Color: 'blue' }), { 'meta-color': 'blue' })
  t.throws(() => metaHeaders({ 'a b': 'x' }), { code: 'INVALID_REQUEST' })
  t.same(metaOf({ headers: { 'meta-color': 'blue', etag: '"1"' } }), { color: 'blue' })
})

t.test('put, get, list and copy have it', async t => {
  const { url } = await runningNode(t)
  const store = new StoreClient({ node: url })
  await store.put('a', 'abc', { meta: { Color: 'blue' } })
  const metaAt = async (path: string) => {
    const file = await store.get(path)
    file.body.destroy()
    return file.meta
  }
  t.same(await metaAt('a'), { color: 'blue' })
  await store.copy('a', 'b')
  t.same(await metaAt('b'), { color: 'blue' })
  await store.copy('a', 'b', { overwrite: true, meta: {} })
  t.same(await metaAt('b'), {})
  const listed = []
  for await (const file of store.list()) listed.push([file.path, file.meta, file.sha256?.slice(0, 8)])
  t.same(listed, [
    ['a', { color: 'blue' }, 'ba7816bf'],
    ['b', undefined, 'ba7816bf'],
  ])
})
