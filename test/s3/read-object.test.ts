import t from 'tap'
import { nodeWithBucket, textsOf } from './s3-node.ts'

t.test('an object comes back with all that was said of it', async t => {
  const { ask } = await nodeWithBucket(t)
  const headers = {
    'content-type': 'text/plain',
    'x-amz-meta-a': '1',
    'cache-control': 'no-store',
    'x-amz-checksum-crc32': 'y/Q5Jg==',
  }
  const put = await ask({ method: 'PUT', path: '/bucket/key', body: '123456789', headers })
  t.match(put, {
    status: 200,
    headers: { etag: /^"\d+\.\d+-15e2b0d3"$/, 'x-amz-checksum-crc32': 'y/Q5Jg==' },
  })
  const got = await ask({ path: '/bucket/key', headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  t.match(got, {
    status: 200,
    text: '123456789',
    headers: { ...headers, etag: put.headers.etag, 'x-amz-checksum-type': 'FULL_OBJECT' },
  })
  const head = await ask({ method: 'HEAD', path: '/bucket/key' })
  t.match(head, { status: 200, text: '', headers: { 'content-length': '9', 'x-amz-meta-a': '1' } })
  t.equal(head.headers['x-amz-checksum-crc32'], undefined, 'only when it is asked for')
})

t.test('ranges', async t => {
  const { ask } = await nodeWithBucket(t)
  await ask({ method: 'PUT', path: '/bucket/key', body: '0123456789' })
  await ask({ method: 'PUT', path: '/bucket/empty', body: '' })
  const get = (range: string, path = '/bucket/key') => ask({ path, headers: { range } })
  t.match(await get('bytes=2-4'), {
    status: 206,
    text: '234',
    headers: { 'content-range': 'bytes 2-4/10', 'content-length': '3' },
  })
  t.match(await get('bytes=-3'), { status: 206, text: '789' })
  t.match(await get('bytes=-30'), { status: 206, text: '0123456789' })
  t.match(await get('bytes=8-'), { status: 206, text: '89' })
  t.match(await get('bytes=8-99'), { status: 206, text: '89' })
  for (const odd of ['bytes=4-2', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=-'])
    t.match(await get(odd), { status: 200, text: '0123456789' }, odd)
  t.match(await get('bytes=10-'), {
    status: 416,
    code: 'InvalidRange',
    headers: { 'content-range': 'bytes */10' },
  })
  t.equal((await get('bytes=0-', '/bucket/empty')).code, 'InvalidRange')
})

t.test('conditions and overrides', async t => {
  const { ask } = await nodeWithBucket(t)
  const { headers } = await ask({ method: 'PUT', path: '/bucket/key', body: 'x' })
  const etag = headers.etag as string
  t.match(await ask({ path: '/bucket/key', headers: { 'if-none-match': etag } }), {
    status: 304,
    text: '',
    headers: { etag },
  })
  t.equal((await ask({ path: '/bucket/key', headers: { 'if-match': '"other"' } })).code, 'PreconditionFailed')
  t.equal(
    (await ask({ method: 'HEAD', path: '/bucket/key', headers: { 'if-match': '"other"' } })).status,
    412,
  )
  const query = {
    'response-content-type': 'text/x',
    'response-content-disposition': 'attachment; filename="a b"',
  }
  t.match(await ask({ path: '/bucket/key', query }), {
    status: 200,
    headers: { 'content-type': 'text/x', 'content-disposition': 'attachment; filename="a b"' },
  })
  t.equal((await ask({ path: '/bucket/key', query: { 'response-expires': 'a\nb' } })).code, 'InvalidArgument')
})

t.test('what is not there', async t => {
  const { ask } = await nodeWithBucket(t)
  t.match(await ask({ path: '/bucket/key' }), { status: 404, code: 'NoSuchKey' })
  t.match(await ask({ path: '/nothing/key' }), { status: 404, code: 'NoSuchBucket' })
  t.match(await ask({ method: 'HEAD', path: '/bucket/key' }), { status: 404, text: '' })
  t.equal((await ask({ path: '/bucket/a/../b' })).code, 'InvalidArgument')
})

t.test('parts of an object that came whole', async t => {
  const { ask } = await nodeWithBucket(t)
  await ask({ method: 'PUT', path: '/bucket/key', body: 'abc' })
  const get = (partNumber: string, headers = {}) =>
    ask({ path: '/bucket/key', query: { partNumber }, headers })
  t.match(await get('1'), { status: 206, text: 'abc' })
  t.match(await get('2'), { status: 416, code: 'InvalidPartNumber' })
  t.equal((await get('0')).code, 'InvalidArgument')
  t.equal((await get('10001')).code, 'InvalidArgument')
  t.equal((await get('1', { range: 'bytes=0-1' })).code, 'InvalidRequest')
})

t.test('attributes', async t => {
  const { ask } = await nodeWithBucket(t)
  await ask({ method: 'PUT', path: '/bucket/key', body: 'abc' })
  const attributes = (names: string) =>
    ask({ path: '/bucket/key', query: { attributes: '' }, headers: { 'x-amz-object-attributes': names } })
  const { text } = await attributes('ETag,ObjectSize,Checksum')
  t.same(textsOf(text, 'ObjectSize'), ['3'])
  t.same(textsOf(text, 'ChecksumSHA256'), ['ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='])
  t.same(textsOf(text, 'StorageClass'), [])
  t.equal((await attributes('Size')).code, 'InvalidArgument')
})

t.test('a large object comes as a stream, and in ranges of it', async t => {
  const { ask } = await nodeWithBucket(t)
  const body = Buffer.alloc(3_000_000, '0123456789')
  t.equal((await ask({ method: 'PUT', path: '/bucket/large', body })).status, 200)
  t.equal((await ask({ path: '/bucket/large' })).text, body.toString())
  t.equal(
    (await ask({ path: '/bucket/large', headers: { range: 'bytes=1048570-1048589' } })).text,
    '0123456789'.repeat(2),
  )
})
