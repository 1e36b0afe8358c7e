import type { IncomingMessage } from 'node:http'
import t from 'tap'
import {
  bucketOf,
  header,
  keyOf,
  OWNER_ID,
  parameter,
  readRequest,
  refuseUnsupported,
  utf8,
} from '../../src/s3/request.ts'

const read = (
  url: string,
  headers: Record<string, string> = { host: '127.0.0.1:9000' },
  domains: string[] = [],
) =>
  readRequest(
    { method: 'GET', url, rawHeaders: Object.entries(headers).flat() } as unknown as IncomingMessage,
    domains,
  )

t.test('what a request is about stands in its path', async t => {
  const rows: [string, string | undefined, string | undefined][] = [
    ['/', undefined, undefined],
    ['/?prefix=a', undefined, undefined],
    ['/bucket', 'bucket', undefined],
    ['/bucket/', 'bucket', undefined],
    ['/bucket/a/b?acl', 'bucket', 'a/b'],
    ['/bucket//a/', 'bucket', '/a/'],
    ['/bucket/%C3%BC%2Fb+%20', 'bucket', 'ü/b+ '],
    ['/..%2Fetc/passwd', '../etc', 'passwd'],
  ]
  for (const [url, bucket, key] of rows) t.same(read(url).target, { bucket, key }, url)
  t.throws(() => read('/bucket/%FF'), { code: 'InvalidURI' })
  t.throws(() => bucketOf(read('/..%2Fetc/passwd')), { code: 'InvalidBucketName' })
  t.equal(keyOf(read('/bucket/key')), 'key')
  t.throws(() => keyOf(read('/bucket')), TypeError)
})

t.test('or in its host', async t => {
  const at = (host: string, url: string) => read(url, { host }, ['s3.example.com']).target
  t.same(at('bucket.s3.example.com:9000', '/a/b'), { bucket: 'bucket', key: 'a/b' })
  t.same(at('Bucket.S3.example.com', '/'), { bucket: 'bucket', key: undefined })
  t.same(at('s3.example.com', '/bucket/a'), { bucket: 'bucket', key: 'a' })
  t.same(at('a.b.s3.example.com', '/c'), { bucket: 'a.b', key: 'c' })
  t.same(at('bucket.example.com', '/c/d'), { bucket: 'c', key: 'd' })
})

t.test('queries and headers', async t => {
  const request = read('/b?a=1&b=%C3%BC+x&c&a=2&X-Amz-Acl=private', {
    Host: 'h',
    'X-Amz-Meta-A': '1',
    'x-amz-meta-a': '2',
  })
  t.equal(parameter(request, 'a'), '1')
  t.equal(parameter(request, 'b'), 'ü x')
  t.equal(parameter(request, 'c'), '')
  t.equal(parameter(request, 'd'), undefined)
  t.equal(header(request, 'x-amz-meta-a'), '1, 2')
  t.equal(header(request, 'x-amz-acl'), 'private')
  t.equal(header(request, 'c'), undefined, 'only what is named as a header of Amazon stands in a query')
  t.throws(() => parameter(read('/b?a=%FF'), 'a'), { code: 'InvalidURI' })
  t.equal(utf8('\xc3\xbc'), 'ü')
})

t.test('what is not there is refused, not passed over', async t => {
  const refused = (name: string, value: string) => () =>
    refuseUnsupported(read('/b/k', { host: 'h', [name]: value }))
  const rows: [string, string, string][] = [
    ['x-amz-server-side-encryption', 'AES256', 'NotImplemented'],
    ['x-amz-server-side-encryption-customer-key', 'x', 'NotImplemented'],
    ['x-amz-copy-source-server-side-encryption-customer-key', 'x', 'NotImplemented'],
    ['x-amz-object-lock-mode', 'GOVERNANCE', 'NotImplemented'],
    ['x-amz-bucket-object-lock-enabled', 'true', 'NotImplemented'],
    ['x-amz-tagging', 'a=b', 'NotImplemented'],
    ['x-amz-website-redirect-location', '/', 'NotImplemented'],
    ['x-amz-grant-read', 'id=x', 'NotImplemented'],
    ['x-amz-acl', 'public-read', 'NotImplemented'],
    ['x-amz-storage-class', 'GLACIER', 'InvalidStorageClass'],
    ['x-amz-expected-bucket-owner', 'somebody', 'AccessDenied'],
    ['x-amz-write-offset-bytes', '0', 'NotImplemented'],
  ]
  for (const [name, value, code] of rows) t.throws(refused(name, value), { code }, name)
  t.throws(() => refuseUnsupported(read('/b/k?X-Amz-Tagging=a')), { code: 'NotImplemented' })
  for (const [name, value] of [
    ['x-amz-acl', 'private'],
    ['x-amz-storage-class', 'STANDARD'],
    ['x-amz-expected-bucket-owner', OWNER_ID],
  ] as const)
    t.doesNotThrow(refused(name, value), name)
})
