import t from 'tap'
import { StoreClient } from '../../src/client/client.ts'
import { Pairs } from '../../src/client/pairs.ts'
import { runningNode } from '../running-node.ts'

async function openClient(t: { teardown(end: () => unknown): unknown }) {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  return { client, url }
}

t.test('insert, query, delete', async t => {
  const { client } = await openClient(t)
  const { pairs } = client
  t.match(await pairs.insert('a/b c', { x: [1, null, 'é'] }), {
    key: 'a/b c',
    value: { x: [1, null, 'é'] },
    status: 'inserted',
    receipt: { path: 'kv/a/b c', durable: false },
  })
  t.same(await pairs.query('a/b c'), { x: [1, null, 'é'] })
  t.match(await pairs.insert('a/b c', 'text'), { status: 'updated' })
  t.equal(await pairs.query('a/b c'), 'text')
  await pairs.delete('a/b c')
  await t.rejects(pairs.query('a/b c'), { code: 'FILE_NOT_FOUND', path: 'kv/a/b c' })
  await t.rejects(pairs.delete('a/b c'), { code: 'FILE_NOT_FOUND' })
})

t.test('keys of every kind', async t => {
  const { pairs } = (await openClient(t)).client
  const keys = ['.', '..', '*', '/', '%2F', '?#&+', '😀', 'line\nbreak', 7, true, null, [1, 'a'], { x: 1 }]
  for (const [i, key] of keys.entries()) await pairs.insert(key, i)
  for (const [i, key] of keys.entries()) t.equal(await pairs.query(key), i, JSON.stringify(key))
  t.equal(await pairs.query('7'), 8, 'a key that is no string stands for its JSON text')
  for (const key of ['', 'a'.repeat(257)]) await t.rejects(pairs.insert(key, 1), { code: 'INVALID_REQUEST' })
  await t.rejects(pairs.query('\ud800'), { code: 'INVALID_REQUEST' })
})

t.test('values that are none, or too large', async t => {
  const { pairs, client } = await openClient(t).then(({ client }) => ({ client, pairs: client.pairs }))
  t.throws(() => pairs.insert('a', undefined), { code: 'INVALID_REQUEST' })
  await t.rejects(pairs.insertJson('a', '1,"key":"b"'), { code: 'INVALID_REQUEST' })
  await t.rejects(pairs.insert('a', 'x'.repeat(300_000)), { code: 'FILE_TOO_LARGE' })
  for await (const { path } of client.list()) t.fail(path)
})

t.test('JSON keeps its digits', async t => {
  const { client, url } = await openClient(t)
  await client.pairs.insertJson('n', ' 12345678901234567890 ')
  t.equal(await (await fetch(`${url}/get/kv/n`)).text(), '12345678901234567890')
})

t.test('all pairs, the largest too', async t => {
  const { pairs } = (await openClient(t)).client
  const large = 'x'.repeat(200_000)
  for (const [key, value] of [
    ['b', 2],
    ['a', large],
    ['c', null],
  ] as const)
    await pairs.insert(key, value)
  const seen = []
  for await (const pair of pairs.all()) seen.push(pair)
  t.same(seen, [
    { key: 'a', value: large },
    { key: 'b', value: 2 },
    { key: 'c', value: null },
  ])
})

t.test('a write under its own key happens once', async t => {
  const { pairs } = (await openClient(t)).client
  const first = await pairs.insert('a', 1, { idempotencyKey: 'k' })
  await pairs.insert('a', 2)
  t.same(await pairs.insert('a', 1, { idempotencyKey: 'k' }), first)
  t.equal(await pairs.query('a'), 2)
})

t.test('a list that ends too early is an error', async t => {
  async function* broken() {
    yield Buffer.from('{"key":"a","value":1}\n')
    throw new Error('reset')
  }
  const read = async (_options: unknown, _request: unknown, take: (reply: never) => unknown) =>
    take({ body: broken() } as never)
  const pairs = new Pairs({ read, write: read } as never)
  const seen: string[] = []
  await t.rejects(
    (async () => {
      for await (const { key } of pairs.all()) seen.push(key)
    })(),
    { code: 'UNAVAILABLE' },
  )
  t.same(seen, ['a'])
})

t.test('what the node has learned of the network', async t => {
  const { client, url } = await openClient(t)
  t.match(await client.network(), {
    replicas: 3,
    nodes: [{ address: new URL(url).host, status: 'alive', self: true }],
  })
})
