import t from 'tap'
import { begin, PART, part } from './multipart-client.ts'
import { nodeWithBucket, textsOf } from './s3-node.ts'

t.test('parts of an upload, page by page', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node, { 'x-amz-checksum-algorithm': 'CRC32' })
  await part(node, id, 3, 'c')
  await part(node, id, 1, PART)
  await part(node, id, 10, 'd')
  const list = async (query: Record<string, string> = {}) =>
    (await node.ask({ path: '/bucket/key', query: { uploadId: id, ...query } })).text
  const all = await list()
  t.same(textsOf(all, 'PartNumber'), ['1', '3', '10'])
  t.same(textsOf(all, 'Size'), [String(PART.length), '1', '1'])
  t.equal(textsOf(all, 'ChecksumCRC32').length, 3)
  const page = await list({ 'max-parts': '2' })
  t.same(textsOf(page, 'IsTruncated'), ['true'])
  t.same(textsOf(page, 'NextPartNumberMarker'), ['3'])
  t.same(textsOf(await list({ 'part-number-marker': '3' }), 'PartNumber'), ['10'])
  t.equal(
    (await node.ask({ path: '/bucket/key', query: { uploadId: id, 'max-parts': 'x' } })).code,
    'InvalidArgument',
  )
  t.equal((await node.ask({ path: '/bucket/key', query: { uploadId: 'x' } })).code, 'NoSuchUpload')
})

t.test('uploads of a bucket, by key and by time', async t => {
  const { ask } = await nodeWithBucket(t)
  const start = async (path: string) =>
    textsOf((await ask({ method: 'POST', path, query: { uploads: '' } })).text, 'UploadId')[0] as string
  for (const path of ['/bucket/b', '/bucket/a/1', '/bucket/a/2']) await start(path)
  const again = await start('/bucket/b')
  const list = async (query: Record<string, string> = {}) =>
    (await ask({ path: '/bucket', query: { uploads: '', ...query } })).text
  t.same(textsOf(await list(), 'Key'), ['a/1', 'a/2', 'b', 'b'])
  t.equal(textsOf(await list(), 'UploadId').at(-1), again)
  const levels = await list({ delimiter: '/' })
  t.same(textsOf(levels, 'Key'), ['b', 'b'])
  t.same(textsOf(levels, 'Prefix').slice(1), ['a/'])
  t.same(textsOf(await list({ prefix: 'a/' }), 'Key'), ['a/1', 'a/2'])
  const first = await list({ 'max-uploads': '3' })
  t.same(textsOf(first, 'IsTruncated'), ['true'])
  const [key, id] = [
    textsOf(first, 'NextKeyMarker')[0] as string,
    textsOf(first, 'NextUploadIdMarker')[0] as string,
  ]
  t.same(textsOf(await list({ 'key-marker': key, 'upload-id-marker': id }), 'UploadId'), [again])
  t.same(textsOf(await list({ 'key-marker': 'a/2' }), 'Key'), ['b', 'b'])
  t.equal((await ask({ path: '/nothing', query: { uploads: '' } })).code, 'NoSuchBucket')
})
