import { createHash } from 'node:crypto'
import t from 'tap'
import { send, sign } from './s3-client.ts'
import { nodeWithBucket, textsOf } from './s3-node.ts'

const md5 = (text: string) => createHash('md5').update(text).digest('base64')

t.test('conditions of a put are those of the store', async t => {
  const { ask } = await nodeWithBucket(t)
  const put = (headers: Record<string, string> = {}) =>
    ask({ method: 'PUT', path: '/bucket/key', body: 'x', headers })
  t.match(await put({ 'if-match': '*' }), { status: 404, code: 'NoSuchKey' })
  const first = await put({ 'if-none-match': '*' })
  t.equal(first.status, 200)
  t.match(await put({ 'if-none-match': '*' }), { status: 412, code: 'PreconditionFailed' })
  const etag = first.headers.etag as string
  const second = await put({ 'if-match': etag })
  t.equal(second.status, 200)
  t.not(second.headers.etag, etag, 'the same bytes in another version')
  t.equal((await put({ 'if-match': etag })).code, 'PreconditionFailed')
  t.equal((await put()).status, 200)
})

t.test('a body that is another than announced is not stored', async t => {
  const { ask, s3 } = await nodeWithBucket(t)
  const put = (headers: Record<string, string>) =>
    ask({ method: 'PUT', path: '/bucket/key', body: '123456789', headers })
  const rows: [Record<string, string>, string][] = [
    [{ 'content-md5': md5('other') }, 'BadDigest'],
    [{ 'content-md5': 'x' }, 'InvalidDigest'],
    [{ 'x-amz-checksum-crc32': 'AAAAAA==' }, 'BadDigest'],
    [{ 'x-amz-checksum-sha256': 'AAAA' }, 'InvalidRequest'],
    [{ 'x-amz-sdk-checksum-algorithm': 'CRC32' }, 'InvalidRequest'],
    [{ 'x-amz-tagging': 'a=b' }, 'NotImplemented'],
    [{ 'x-amz-meta-a': 'x'.repeat(3000) }, 'MetadataTooLarge'],
    [{ 'if-none-match': '"x"' }, 'NotImplemented'],
  ]
  for (const [headers, code] of rows)
    t.equal((await put(headers)).code, code, JSON.stringify(headers).slice(0, 60))
  const signed = await sign(s3, { method: 'PUT', path: '/bucket/key', body: '123456789' })
  t.equal((await send(s3, { ...signed, body: '123456780' })).code, 'XAmzContentSHA256Mismatch')
  t.equal((await ask({ path: '/bucket/key' })).code, 'NoSuchKey')
  t.equal((await put({ 'content-md5': md5('123456789') })).status, 200)
})

t.test('a body in the chunks of HTTP needs no length', async t => {
  const { ask, s3 } = await nodeWithBucket(t)
  const put = await sign(s3, {
    method: 'PUT',
    path: '/bucket/key',
    headers: { 'transfer-encoding': 'chunked' },
    body: 'hello',
  })
  t.equal((await send(s3, put)).status, 200)
  t.equal((await ask({ path: '/bucket/key' })).text, 'hello')
})

t.test('a bucket must be there, and its name is no path', async t => {
  const { ask } = await nodeWithBucket(t)
  t.equal((await ask({ method: 'PUT', path: '/nothing/key', body: 'x' })).code, 'NoSuchBucket')
  t.equal((await ask({ method: 'PUT', path: '/..%2Fbucket/key', body: 'x' })).code, 'InvalidBucketName')
  t.equal((await ask({ method: 'PUT', path: '/.altered-chord/key', body: 'x' })).code, 'InvalidBucketName')
})

t.test('copies, with the metadata of the source or other', async t => {
  const { ask } = await nodeWithBucket(t)
  await ask({
    method: 'PUT',
    path: '/bucket/a%20%C3%BC',
    body: 'abc',
    headers: { 'x-amz-meta-a': '1', 'content-type': 'text/x' },
  })
  const copy = (path: string, headers: Record<string, string>) =>
    ask({ method: 'PUT', path, headers: { 'x-amz-copy-source': '/bucket/a%20%C3%BC', ...headers } })
  t.match(await copy('/bucket/b', {}), { status: 200, text: /<ETag>&quot;.*&quot;<\/ETag>/ })
  t.match(await ask({ path: '/bucket/b' }), {
    text: 'abc',
    headers: { 'x-amz-meta-a': '1', 'content-type': 'text/x' },
  })
  const replace = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' }
  t.equal((await copy('/bucket/a%20%C3%BC', replace)).status, 200)
  const replaced = await ask({ path: '/bucket/a%20%C3%BC' })
  t.match(replaced, { text: 'abc', headers: { 'x-amz-meta-b': '2' } })
  t.equal(replaced.headers['x-amz-meta-a'], undefined)

  const rows: [string, Record<string, string>, string][] = [
    ['/bucket/a%20%C3%BC', {}, 'InvalidRequest'],
    ['/bucket/c', { 'x-amz-copy-source': '/bucket/nothing' }, 'NoSuchKey'],
    ['/bucket/c', { 'x-amz-copy-source': '/nothing/key' }, 'NoSuchBucket'],
    ['/bucket/c', { 'x-amz-copy-source': 'bucket' }, 'InvalidArgument'],
    ['/bucket/c', { 'x-amz-copy-source': '/bucket/b?versionId=7' }, 'NotImplemented'],
    ['/bucket/c', { 'x-amz-copy-source-if-match': '"other"' }, 'PreconditionFailed'],
    ['/bucket/c', { 'x-amz-metadata-directive': 'MOVE' }, 'InvalidArgument'],
    ['/bucket/b', { 'if-none-match': '*' }, 'PreconditionFailed'],
    ['/nothing/c', {}, 'NoSuchBucket'],
  ]
  for (const [path, headers, code] of rows)
    t.equal((await copy(path, headers)).code, code, JSON.stringify(headers))
  t.equal((await ask({ path: '/bucket/c' })).code, 'NoSuchKey')
})

t.test('deletes', async t => {
  const { ask } = await nodeWithBucket(t)
  const { headers } = await ask({ method: 'PUT', path: '/bucket/key', body: 'x' })
  const remove = (path: string, more = {}) => ask({ method: 'DELETE', path, headers: more })
  t.equal((await remove('/bucket/key', { 'if-match': '"other"' })).code, 'PreconditionFailed')
  t.equal((await remove('/bucket/key', { 'if-match': headers.etag })).status, 204)
  t.equal((await remove('/bucket/key')).status, 204, 'one that is not there is as good')
  t.equal((await remove('/nothing/key')).code, 'NoSuchBucket')
})

t.test('many deletes at once', async t => {
  const { ask } = await nodeWithBucket(t)
  for (const key of ['a', 'b%26', 'c']) await ask({ method: 'PUT', path: `/bucket/${key}`, body: 'x' })
  const remove = (body: string) => ask({ method: 'POST', path: '/bucket', query: { delete: '' }, body })
  const object = (key: string, more = '') => `<Object><Key>${key}</Key>${more}</Object>`
  const { text } = await remove(
    `<Delete>${object('a')}${object('b&amp;')}${object('nothing')}${object('c', '<VersionId>7</VersionId>')}${object('c', '<ETag>"x"</ETag>')}</Delete>`,
  )
  t.same(textsOf(text, 'Key'), ['a', 'b&amp;', 'nothing', 'c', 'c'])
  t.same(textsOf(text, 'Code'), ['NotImplemented', 'PreconditionFailed'])
  t.match(await remove(`<Delete><Quiet>true</Quiet>${object('c')}</Delete>`), {
    status: 200,
    text: /<DeleteResult[^>]*><\/DeleteResult>/,
  })
  t.same(textsOf((await ask({ path: '/bucket' })).text, 'Key'), [])
  const bad = [
    '',
    'x',
    '<Delete/>',
    '<Delete><Object/></Delete>',
    `<Delete>${object('a').repeat(1001)}</Delete>`,
    '<Other/>',
  ]
  for (const body of bad) t.equal((await remove(body)).code, 'MalformedXML', body.slice(0, 40))
  t.equal(
    (await remove(`<Delete>${object('a'.repeat(40)).repeat(100_000)}</Delete>`)).code,
    'MaxMessageLengthExceeded',
  )
})

t.test('a trailer with another checksum than the body has: nothing is visible', async t => {
  const node = await nodeWithBucket(t)
  const put = (value: string) =>
    node.ask({
      method: 'PUT',
      path: '/bucket/key',
      headers: {
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-decoded-content-length': '9',
        'x-amz-trailer': 'x-amz-checksum-crc64nvme',
      },
      body: `9\r\n123456789\r\n0\r\nx-amz-checksum-crc64nvme:${value}\r\n\r\n`,
    })
  t.match(await put('rosUhgp5mIk='), { status: 400, code: 'BadDigest' })
  t.equal((await node.ask({ path: '/bucket/key' })).code, 'NoSuchKey')
  t.match(await put('rosUhgp5mIg='), { status: 200, headers: { 'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=' } })
  t.equal((await node.ask({ path: '/bucket/key' })).text, '123456789')
})
