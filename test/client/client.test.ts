import { createHash } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import t from 'tap'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { json, scriptedServer } from './scripted-server.ts'

type Test = { teardown(end: () => unknown): unknown }

async function connected(t: Test, flags = {}, init = {}): Promise<StoreClient> {
  const { url } = await runningNode(t, flags)
  return clientOf(t, url, init)
}

function clientOf(t: Test, node: string, init = {}): StoreClient {
  const client = new StoreClient({ node, ...init })
  t.teardown(() => client.close())
  return client
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

t.test('a file goes in and comes out, in every form of body', async t => {
  const client = await connected(t)
  const big = Buffer.alloc(3_000_000, 'abc')
  const file = join(t.testdir({ big }), 'big')
  const bodies = {
    text: 'abc'.repeat(1_000_000),
    bytes: big,
    stream: Readable.from([big.subarray(0, 1_000_000), big.subarray(1_000_000)]),
    again: () => createReadStream(file),
  }
  const sha256 = createHash('sha256').update(big).digest('hex')
  for (const [name, body] of Object.entries(bodies)) {
    const receipt = await client.put(`forms/${name}`, body, { mediaType: 'text/plain' })
    t.match(receipt, { path: `forms/${name}`, size: big.length, sha256 })
    const fetched = await client.get(`forms/${name}`)
    t.match(fetched, {
      mediaType: 'text/plain',
      size: big.length,
      sha256,
      etag: receipt.etag,
      chain: receipt.chain,
    })
    t.ok(Math.abs((fetched.writtenAt?.getTime() ?? 0) - Date.now()) < 60_000)
    t.ok((await buffer(fetched.body)).equals(big), name)
  }
})

t.test('odd paths arrive as they are', async t => {
  const client = await connected(t)
  const paths = [
    'a b',
    'ü/日本/😀',
    'x%2Fy',
    'a+b',
    'a?b=c&d',
    '#x',
    'q"\\|^`{}',
    "it's",
    'a;b',
    '%',
    '...',
    ' ',
  ]
  for (const path of paths) await client.put(path, path)
  for (const path of paths) t.equal(await text((await client.get(path)).body), path, path)
  t.same((await all(client.list())).map(file => file.path).toSorted(), paths.toSorted())
  for (const path of paths) {
    await client.move(path, `moved/${path}`)
    await client.copy(`moved/${path}`, path)
    await client.remove(`moved/${path}`)
    t.equal(await client.exists(path), true)
    t.equal(await client.exists(`moved/${path}`), false)
  }
})

t.test('create-only, overwrite, one version', async t => {
  const client = await connected(t)
  const first = await client.put('a', '1')
  await t.rejects(client.put('a', '2'), { code: 'FILE_EXISTS', path: 'a' })
  const second = await client.put('a', '2', { overwrite: true })
  await t.rejects(client.put('a', '3', { ifMatch: first.etag }), { code: 'PRECONDITION_FAILED' })
  await client.put('a', '3', { ifMatch: second.etag })
  await t.rejects(client.remove('a', { ifMatch: second.etag }), { code: 'PRECONDITION_FAILED' })
  await client.put('b', 'b')
  await t.rejects(client.copy('a', 'b'), { code: 'FILE_EXISTS' })
  await t.rejects(client.move('a', 'b'), { code: 'FILE_EXISTS' })
  await client.copy('a', 'b', { overwrite: true })
  await client.move('a', 'b', { overwrite: true })
  t.equal(await text((await client.get('b')).body), '3')
  await t.rejects(client.get('a'), { code: 'FILE_NOT_FOUND' })
  await t.rejects(client.move('a', 'c'), { code: 'FILE_NOT_FOUND' })
})

t.test('a write repeated under its key happens once', async t => {
  const client = await connected(t)
  const first = await client.put('a', '1', { idempotencyKey: 'k' })
  t.same(await client.put('a', '1', { idempotencyKey: 'k' }), first)
  await t.rejects(client.put('a', '2', { idempotencyKey: 'k' }), { code: 'IDEMPOTENCY_KEY_REUSED' })
})

t.test('ranges', async t => {
  const client = await connected(t)
  await client.put('a', '0123456789')
  const part = await client.get('a', { range: { first: 2, last: 4 } })
  t.equal(part.size, 3)
  t.equal(await text(part.body), '234')
  t.equal(await text((await client.get('a', { range: { first: 7 } })).body), '789')
  await t.rejects(client.get('a', { range: { first: 10 } }), { code: 'RANGE_NOT_SATISFIABLE' })
})

t.test('lists: all, from a place on, limited, one level', async t => {
  const client = await connected(t)
  for (const path of ['a', 'b/1', 'b/2', 'b/c/3', 'd']) await client.put(path, path)
  const paths = async (list: AsyncIterable<object>) =>
    (await all(list)).map(entry => ('path' in entry ? entry.path : (entry as { prefix: string }).prefix))
  t.same(await paths(client.list()), ['a', 'b/1', 'b/2', 'b/c/3', 'd'])
  t.same(await paths(client.list('b/')), ['b/1', 'b/2', 'b/c/3'])
  t.same(await paths(client.list('', { after: 'b/1', limit: 2 })), ['b/2', 'b/c/3'])
  t.same(await paths(client.listLevel()), ['a', 'b/', 'd'])
  t.same(await paths(client.listLevel('b/')), ['b/1', 'b/2', 'b/c/'])
  t.same(await paths(client.list('none')), [])
  const [first] = await all(client.list('a'))
  t.match(first, {
    path: 'a',
    size: 1,
    etag: /^"/,
    mediaType: 'application/octet-stream',
    writtenAt: /^\d{4}-.*Z$/,
  })
})

t.test('tokens', async t => {
  const flags = { token: 'write-token', readToken: 'read-token' }
  const { url } = await runningNode(t, flags)
  await t.rejects(clientOf(t, url).put('a', '1'), { code: 'UNAUTHORIZED' })
  await t.rejects(clientOf(t, url, { token: 'read-token' }).put('a', '1'), { code: 'FORBIDDEN' })
  await clientOf(t, url, { token: 'write-token' }).put('a', '1')
  t.equal(await clientOf(t, url, { token: 'read-token' }).exists('a'), true)
  t.match(await clientOf(t, url).health(), { status: 'ok' })
  await t.rejects(clientOf(t, url).status(), { code: 'UNAUTHORIZED' })
})

t.test('a refusal of a large body arrives, although the body was still on its way', async t => {
  const client = await connected(t, { maxFileSize: '1MiB' })
  const big = Buffer.alloc(8 * 1024 * 1024)
  await t.rejects(client.put('a', big), { code: 'FILE_TOO_LARGE' })
  const chunks = () => Readable.from(Array.from({ length: 128 }, () => Buffer.alloc(64 * 1024)))
  await t.rejects(client.put('a', chunks), { code: 'FILE_TOO_LARGE' })
  t.equal(await client.exists('a'), false)
})

t.test('bytes that changed on the way are not called good', async t => {
  const sha256 = createHash('sha256').update('good').digest()
  const { origin } = await scriptedServer(t, [
    (_seen, response) =>
      response.writeHead(200, { 'repr-digest': `sha-256=:${sha256.toString('base64')}:` }).end('evil'),
    json(201, { path: 'a', sha256: '0'.repeat(64) }),
  ])
  const client = clientOf(t, origin)
  await t.rejects(text((await client.get('a')).body), { code: 'CORRUPT', path: 'a' })
  await t.rejects(client.put('a', 'good'), { code: 'CORRUPT', path: 'a' })
})

t.test('a signal ends a download with its reason', async t => {
  const client = await connected(t)
  await client.put('a', Buffer.alloc(4_000_000))
  const controller = new AbortController()
  const { body } = await client.get('a', { signal: controller.signal })
  const reason = new Error('enough')
  controller.abort(reason)
  await t.rejects(buffer(body), reason)
})

t.test('a signal that lives on after many calls is listened to by none of them', async t => {
  const client = await connected(t)
  const { signal } = new AbortController()
  const options = { signal }
  const big = Buffer.alloc(1_000_000, 'abc')
  await client.put('kept', big, options)
  await client.put('streamed', Readable.from([big]), options)
  t.equal((await buffer((await client.get('kept', options)).body)).length, big.length)
  const { body } = await client.get('kept', options)
  body.destroy()
  const archive = await client.archives.get('', options)
  archive.destroy()
  t.ok(await client.exists('kept', options))
  t.notOk(await client.exists('missing', options))
  await client.copy('kept', 'copied', options)
  await t.rejects(client.get('missing', options), { code: 'FILE_NOT_FOUND' })
  t.ok((await all(client.list('', options))).length >= 3)
  await client.health(options)
  while (getEventListeners(signal, 'abort').length > 0) await new Promise(setImmediate)
  t.pass('nobody listens')
})

t.test('what is no path, and what is no node', async t => {
  const client = clientOf(t, 'http://127.0.0.1:9')
  for (const path of ['', 'a//b', '../a', 'a\n']) {
    await t.rejects(client.put(path, ''), { code: 'INVALID_PATH' }, JSON.stringify(path))
    await t.rejects(client.get(path), { code: 'INVALID_PATH' })
  }
  for (const node of ['', 'files', 'ftp://a', 'http://a/b', 'http://a?b']) {
    t.throws(() => new StoreClient({ node }), { code: 'INVALID_REQUEST' }, node)
  }
})

t.test(
  'a source that fails, shrinks or grows while it is put is told as that, and nothing is stored',
  async t => {
    const { url } = await runningNode(t)
    const client = new StoreClient({ node: url })
    t.teardown(() => client.close())
    const piece = Buffer.alloc(100_000, 1)
    async function* failing() {
      yield piece
      throw new Error('EIO: the disk fails')
    }
    async function* pieces(count: number) {
      for (let i = 0; i < count; i++) yield piece
    }
    await t.rejects(client.put('a', failing), { message: 'EIO: the disk fails' })
    await t.rejects(client.put('a', failing, { size: 300_000 }), { message: 'EIO: the disk fails' })
    await t.rejects(
      client.put('a', () => pieces(2), { size: 300_000 }),
      { code: 'INVALID_REQUEST', message: /changed/ },
    )
    await t.rejects(
      client.put('a', () => pieces(4), { size: 300_000 }),
      { code: 'INVALID_REQUEST', message: /changed/ },
    )
    await t.rejects(client.get('a'), { code: 'FILE_NOT_FOUND' })
    t.match(await client.put('a', () => pieces(3), { size: 300_000 }), { size: 300_000 })
  },
)
