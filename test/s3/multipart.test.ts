import t from 'tap'
import { begin, complete, PART, part } from './multipart-client.ts'
import { nodeWithBucket, textsOf } from './s3-node.ts'

t.test('parts come in any order, and nobody sees them', async t => {
  const node = await nodeWithBucket(t)
  const { ask } = node
  const id = await begin(node, { 'content-type': 'text/x', 'x-amz-meta-a': '1' })
  const second = await part(node, id, 2, 'end')
  const first = await part(node, id, 1, PART)
  t.equal((await ask({ path: '/bucket/key' })).code, 'NoSuchKey')
  t.same(textsOf((await ask({ path: '/bucket' })).text, 'Key'), [])
  const done = await complete(node, id, [
    [1, first.headers.etag as string],
    [2, second.headers.etag as string],
  ])
  t.equal(done.status, 200)
  const got = await ask({ path: '/bucket/key' })
  t.equal(got.text, `${PART}end`)
  t.match(got.headers, { 'content-type': 'text/x', 'x-amz-meta-a': '1' })
  t.match(await ask({ path: '/bucket/key', query: { partNumber: '2' } }), {
    status: 206,
    text: 'end',
    headers: { 'x-amz-mp-parts-count': '2' },
  })
})

t.test('numbers of parts, and uploads that are not there', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node)
  for (const number of [0, 10_001, -1, 'x', ''])
    t.equal((await part(node, id, number, 'x')).code, 'InvalidArgument', `${number}`)
  t.equal((await part(node, id, 10_000, 'x')).status, 200)
  for (const other of ['', 'x', '../..', `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`])
    t.equal((await part(node, other, 1, 'x')).code, 'NoSuchUpload', other)
  const elsewhere = await node.ask({
    method: 'PUT',
    path: '/bucket/other',
    query: { uploadId: id, partNumber: '1' },
    body: 'x',
  })
  t.equal(elsewhere.code, 'NoSuchUpload')
})

t.test('parts are copied from objects', async t => {
  const node = await nodeWithBucket(t)
  const { ask } = node
  await ask({ method: 'PUT', path: '/bucket/source', body: '0123456789' })
  const id = await begin(node, { 'x-amz-checksum-algorithm': 'CRC32' })
  const copy = (headers: Record<string, string>) =>
    ask({
      method: 'PUT',
      path: '/bucket/key',
      query: { uploadId: id, partNumber: '1' },
      headers: { 'x-amz-copy-source': 'bucket/source', ...headers },
    })
  t.equal((await copy({ 'x-amz-copy-source-range': 'bytes=0-10' })).code, 'InvalidRange')
  t.equal((await copy({ 'x-amz-copy-source-range': '0-3' })).code, 'InvalidArgument')
  t.equal((await copy({ 'x-amz-copy-source-if-match': '"x"' })).code, 'PreconditionFailed')
  const { text } = await copy({ 'x-amz-copy-source-range': 'bytes=2-4' })
  t.equal(textsOf(text, 'ChecksumCRC32').length, 1)
  const done = await complete(node, id, [[1, textsOf(text, 'ETag')[0] as string]])
  t.match(textsOf(done.text, 'ChecksumCRC32')[0], /-1$/)
  t.equal((await ask({ path: '/bucket/key' })).text, '234')
})

t.test('an upload that was given up is gone with its parts', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node)
  const { headers } = await part(node, id, 1, 'x')
  const abort = () => node.ask({ method: 'DELETE', path: '/bucket/key', query: { uploadId: id } })
  t.equal((await abort()).status, 204)
  t.equal((await abort()).code, 'NoSuchUpload')
  t.equal((await part(node, id, 1, 'x')).code, 'NoSuchUpload')
  t.equal((await complete(node, id, [[1, headers.etag as string]])).code, 'NoSuchUpload')
})

t.test('which checksums an upload can have', async t => {
  const node = await nodeWithBucket(t)
  const refused = async (headers: Record<string, string>) =>
    (await node.ask({ method: 'POST', path: '/bucket/key', query: { uploads: '' }, headers })).code
  t.equal(await refused({ 'x-amz-checksum-algorithm': 'MD6' }), 'InvalidRequest')
  t.equal(
    await refused({ 'x-amz-checksum-algorithm': 'SHA1', 'x-amz-checksum-type': 'FULL_OBJECT' }),
    'InvalidRequest',
  )
  t.equal(
    await refused({ 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' }),
    'InvalidRequest',
  )
  t.equal(await refused({ 'x-amz-checksum-type': 'COMPOSITE' }), 'InvalidRequest')
})
