/**
 * The SDK for JavaScript against one node: what programs on Node.js and in browsers use.
 */
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import t, { type Test } from 'tap'
import { KEY_ID, SECRET } from './s3-client.ts'
import { s3Node } from './s3-node.ts'

const Bucket = 'bucket'

async function clientWithBucket(t: Test, secret = SECRET): Promise<S3Client> {
  const { s3 } = await s3Node(t)
  const init = { endpoint: s3, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1 }
  const owner = new S3Client({ ...init, credentials: { accessKeyId: KEY_ID, secretAccessKey: SECRET } })
  await owner.send(new CreateBucketCommand({ Bucket }))
  const client = new S3Client({ ...init, credentials: { accessKeyId: KEY_ID, secretAccessKey: secret } })
  t.teardown(() => {
    owner.destroy()
    client.destroy()
  })
  return client
}

t.test('objects come back with their metadata, and are listed and deleted', async t => {
  const client = await clientWithBucket(t)
  await client.send(new PutObjectCommand({ Bucket, Key: 'a/b ü', Body: 'text', Metadata: { note: 'one' } }))
  const got = await client.send(new GetObjectCommand({ Bucket, Key: 'a/b ü' }))
  t.equal(await got.Body?.transformToString(), 'text')
  t.same(got.Metadata, { note: 'one' })
  const level = await client.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }))
  t.same(
    level.CommonPrefixes?.map(({ Prefix }) => Prefix),
    ['a/'],
  )
  const Objects = [{ Key: 'a/b ü' }, { Key: 'nothing' }]
  const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
  t.equal(deleted.Deleted?.length, 2)
  await t.rejects(client.send(new HeadObjectCommand({ Bucket, Key: 'a/b ü' })), { name: 'NotFound' })
})

t.test('each kind of checksum is checked and given back', async t => {
  const client = await clientWithBucket(t)
  for (const kind of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
    const put = await client.send(
      new PutObjectCommand({ Bucket, Key: kind, Body: kind, ChecksumAlgorithm: kind }),
    )
    const got = await client.send(new GetObjectCommand({ Bucket, Key: kind, ChecksumMode: 'ENABLED' }))
    t.equal(await got.Body?.transformToString(), kind)
    t.ok(put[`Checksum${kind}`])
    t.equal(got[`Checksum${kind}`], put[`Checksum${kind}`])
  }
})

t.test('a stream of unknown length is uploaded in parts', async t => {
  const client = await clientWithBucket(t)
  const pieces = Array.from({ length: 12 }, () => randomBytes(1 << 20))
  const upload = new Upload({ client, params: { Bucket, Key: 'stream', Body: Readable.from(pieces) } })
  await upload.done()
  const got = await client.send(new GetObjectCommand({ Bucket, Key: 'stream' }))
  t.ok(Buffer.concat(pieces).equals((await got.Body?.transformToByteArray()) as Uint8Array))
})

t.test('a presigned URL puts and gets without a key; one of another secret does not', async t => {
  const client = await clientWithBucket(t)
  const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: 'by-url' }), { expiresIn: 60 })
  t.equal((await fetch(put, { method: 'PUT', body: 'by url' })).status, 200)
  const url = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'by-url' }), { expiresIn: 60 })
  t.equal(await (await fetch(url)).text(), 'by url')
  const changed = await fetch(url.replace('by-url', 'by-urk'))
  t.equal(changed.status, 403)
  t.match(await changed.text(), 'SignatureDoesNotMatch')
})

t.test('a wrong secret is refused', async t => {
  const client = await clientWithBucket(t, `${SECRET}x`)
  await t.rejects(client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'a' })), {
    name: 'SignatureDoesNotMatch',
  })
})

t.test('a condition that does not hold is an error of its own', async t => {
  const client = await clientWithBucket(t)
  const put = new PutObjectCommand({ Bucket, Key: 'once', Body: 'a', IfNoneMatch: '*' })
  await client.send(put)
  await t.rejects(client.send(put), { name: 'PreconditionFailed' })
})
