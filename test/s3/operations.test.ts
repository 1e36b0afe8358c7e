import t from 'tap'
import { OPERATIONS, operationOf } from '../../src/s3/operations.ts'
import { nodeWithBucket, textsOf } from './s3-node.ts'

function asked(
  method: string,
  level: 'service' | 'bucket' | 'object',
  query: string[] = [],
  headers: string[] = [],
) {
  return {
    method,
    query: query.map(name => [name, ''] as const),
    headers: new Map(headers.map(name => [name, ['x']])),
    target: { bucket: level === 'service' ? undefined : 'b', key: level === 'object' ? 'k' : undefined },
  }
}

t.test('each row is found by what it asks for, and only a read needs no right to write', async t => {
  for (const { name, method, level, marks, writes } of OPERATIONS) {
    const query = marks.filter(mark => !mark.startsWith('x-amz-'))
    const headers = marks.filter(mark => mark.startsWith('x-amz-'))
    t.equal(operationOf(asked(method, level, query, headers)).name, name)
    t.equal(writes, !/^(Get|Head|List)/.test(name), name)
  }
})

t.test('what S3 has and this store has not is refused by its name', async t => {
  for (const name of [
    'tagging',
    'policy',
    'lifecycle',
    'website',
    'object-lock',
    'encryption',
    'versionId',
    'cors',
    'replication',
  ])
    for (const method of ['GET', 'PUT', 'DELETE'])
      t.throws(
        () => operationOf(asked(method, 'bucket', [name])),
        { code: 'NotImplemented' },
        `${method} ?${name}`,
      )
  t.equal(operationOf(asked('PUT', 'bucket', ['versioning'])).name, 'PutBucketVersioning')
  t.throws(() => operationOf(asked('POST', 'service')), { code: 'MethodNotAllowed' })
  t.throws(() => operationOf(asked('PATCH', 'object')), { code: 'MethodNotAllowed' })
  t.equal(operationOf(asked('GET', 'object', ['x-id', 'unknown'])).name, 'GetObject')
})

t.test('small answers about buckets', async t => {
  const { ask } = await nodeWithBucket(t)
  t.match(await ask({ path: '/' }), { status: 200, text: /<Name>bucket<\/Name>/ })
  t.match(await ask({ path: '/bucket', query: { location: '' } }), {
    status: 200,
    text: /<LocationConstraint xmlns="[^"]*"><\/LocationConstraint>/,
  })
  t.match(await ask({ path: '/bucket', query: { versioning: '' } }), {
    status: 200,
    text: /VersioningConfiguration/,
  })
  t.match(await ask({ path: '/bucket', query: { acl: '' } }), { status: 200, text: /FULL_CONTROL/ })
  t.match(await ask({ method: 'HEAD', path: '/bucket' }), {
    status: 200,
    headers: { 'x-amz-bucket-region': 'us-east-1' },
  })
  t.equal((await ask({ method: 'HEAD', path: '/nothing' })).status, 404)
  t.equal((await ask({ path: '/nothing', query: { location: '' } })).code, 'NoSuchBucket')
  const acl = { method: 'PUT', path: '/bucket', query: { acl: '' }, body: '' }
  t.equal((await ask({ ...acl, headers: { 'x-amz-acl': 'private' } })).status, 200)
  t.equal((await ask({ ...acl, headers: { 'x-amz-acl': 'public-read' } })).code, 'NotImplemented')
  t.equal((await ask(acl)).code, 'NotImplemented')
})

t.test('buckets are made and removed', async t => {
  const { ask } = await nodeWithBucket(t)
  const make = (path: string, body = '') => ask({ method: 'PUT', path, body })
  t.equal((await make('/bucket')).status, 200, 'again is as good')
  t.equal((await make('/Bucket')).code, 'InvalidBucketName')
  t.equal((await make('/..%2Fetc')).code, 'InvalidBucketName')
  t.equal((await make('/other', 'no XML')).code, 'MalformedXML')
  t.equal(
    (
      await make(
        '/other',
        '<CreateBucketConfiguration><LocationConstraint>eu</LocationConstraint></CreateBucketConfiguration>',
      )
    ).status,
    200,
  )
  t.same(textsOf((await ask({ path: '/' })).text, 'Name'), ['bucket', 'other'])
  t.same(textsOf((await ask({ path: '/', query: { prefix: 'o' } })).text, 'Name'), ['other'])
  const page = await ask({ path: '/', query: { 'max-buckets': '1' } })
  t.same(textsOf(page.text, 'Name'), ['bucket'])
  const [token] = textsOf(page.text, 'ContinuationToken') as [string]
  t.same(textsOf((await ask({ path: '/', query: { 'continuation-token': token } })).text, 'Name'), ['other'])
  await ask({ method: 'PUT', path: '/other/key', body: 'x' })
  t.equal((await ask({ method: 'DELETE', path: '/other' })).code, 'BucketNotEmpty')
  await ask({ method: 'DELETE', path: '/other/key' })
  t.equal((await ask({ method: 'DELETE', path: '/other' })).status, 204)
  t.equal((await ask({ method: 'DELETE', path: '/other' })).code, 'NoSuchBucket')
})
