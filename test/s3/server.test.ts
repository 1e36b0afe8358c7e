import t from 'tap'
import { ask, KEY_ID, SECRET, send, sign } from './s3-client.ts'
import { nodeWithBucket, s3Node } from './s3-node.ts'

t.test('who may do what', async t => {
  const node = await nodeWithBucket(t)
  const { s3 } = node
  const put = { method: 'PUT', path: '/bucket/key', body: 'x' }
  t.match(await send(s3, { path: '/' }), { status: 403, code: 'AccessDenied' })
  t.equal((await node.ask(put, { secret: 'wrong' })).code, 'SignatureDoesNotMatch')
  t.equal((await node.ask(put, { keyId: 'nobody' })).code, 'InvalidAccessKeyId')
  t.equal((await node.ask(put, { keyId: 'reader' })).code, 'AccessDenied')
  t.equal((await node.ask(put)).status, 200)
  t.equal((await node.ask({ path: '/bucket/key' }, { keyId: 'reader' })).text, 'x')
  t.equal(
    (await node.ask({ method: 'DELETE', path: '/bucket/key' }, { keyId: 'reader' })).code,
    'AccessDenied',
  )
  t.equal((await node.ask({ path: '/bucket/key' })).text, 'x')
})

t.test('clocks and presigned URLs', async t => {
  const node = await nodeWithBucket(t)
  const { s3, clock } = node
  const url = await sign(s3, { method: 'PUT', path: '/bucket/%C3%BC%20b' }, { expiresIn: 60 })
  t.equal((await send(s3, { ...url, body: 'hello' })).status, 200)
  const get = await sign(s3, { path: '/bucket/%C3%BC%20b' }, { expiresIn: 60 })
  t.equal((await send(s3, get)).text, 'hello')
  t.equal((await send(s3, { ...get, path: '/bucket/%C3%BC%20c' })).code, 'SignatureDoesNotMatch')
  clock.aheadMs = 61_000
  t.match(await send(s3, get), { status: 403, code: 'AccessDenied', text: /expired/ })
  clock.aheadMs = 16 * 60_000
  t.match(await node.ask({ path: '/' }, { date: new Date() }), {
    status: 403,
    code: 'RequestTimeTooSkewed',
  })
})

t.test('a body is asked for only when it would be taken', async t => {
  const node = await nodeWithBucket(t)
  const headers = { expect: '100-continue', 'if-none-match': '*' }
  const put = () => node.ask({ method: 'PUT', path: '/bucket/key', body: 'x', headers })
  t.equal((await put()).status, 200)
  t.equal((await put()).code, 'PreconditionFailed')
})

t.test('settings of the node hold here', async t => {
  const node = await nodeWithBucket(t, { maxFileSize: '10B', allowExtensions: 'txt', s3Domain: 's3.test' })
  const put = (path: string, body: string) => node.ask({ method: 'PUT', path, body })
  t.equal((await put('/bucket/a.txt', '0123456789')).status, 200)
  t.equal((await put('/bucket/a.txt', '0123456789a')).code, 'EntityTooLarge')
  t.equal((await put('/bucket/a.exe', 'x')).code, 'InvalidRequest')
  const signed = await sign('http://bucket.s3.test:8080', { path: '/a.txt' })
  t.equal((await send(node.s3, signed)).text, '0123456789', 'a bucket in the name of the host')
})

t.test('bytes that are no request, and methods that are none', async t => {
  const node = await s3Node(t)
  t.equal((await node.ask({ method: 'PATCH', path: '/bucket/key' })).code, 'MethodNotAllowed')
  t.equal((await node.ask({ path: '/bucket/%FF' })).code, 'InvalidURI')
  t.match((await node.ask({ path: '/' })).headers['x-amz-request-id'], /^[0-9A-F]{16}$/)
})

t.test('a node that stops finishes what it is at', async t => {
  const node = await nodeWithBucket(t)
  const body = Buffer.alloc(2_000_000, 'x')
  const putting = ask(
    node.s3,
    { method: 'PUT', path: '/bucket/key', body },
    { keyId: KEY_ID, secret: SECRET },
  )
  const put = await putting
  await node.node.stop()
  t.equal(put.status, 200)
  await t.rejects(node.ask({ path: '/' }))
})
