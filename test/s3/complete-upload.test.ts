import t from 'tap'
import { begin, complete, PART, part } from './multipart-client.ts'
import { nodeWithBucket, textsOf } from './s3-node.ts'

const etagIn = (text: string) => textsOf(text, 'ETag')[0]

t.test('a completion that is repeated gives the same answer', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node)
  const { headers } = await part(node, id, 1, 'x')
  const first = await complete(node, id, [[1, headers.etag as string]])
  const again = await complete(node, id, [[1, headers.etag as string]])
  t.equal(again.status, 200)
  t.equal(etagIn(again.text), etagIn(first.text))
  t.equal((await complete(node, id, [[1, '"other"']])).code, 'NoSuchUpload')
  t.equal((await part(node, id, 2, 'y')).code, 'NoSuchUpload')
  t.same(textsOf((await node.ask({ path: '/bucket', query: { uploads: '' } })).text, 'UploadId'), [])
})

t.test('a part that was sent twice, as after a lost answer, is named by either answer', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node)
  const first = await part(node, id, 1, 'x')
  const second = await part(node, id, 1, 'x')
  t.equal(second.headers.etag, first.headers.etag)
  t.match(first.headers.etag, /^"[0-9a-f]{32}-part"$/)
  t.equal((await complete(node, id, [[1, first.headers.etag as string]])).status, 200)
  const other = await begin(node)
  const old = await part(node, other, 1, 'x')
  await part(node, other, 1, 'y')
  t.equal((await complete(node, other, [[1, old.headers.etag as string]])).code, 'InvalidPart', 'other bytes')
})

t.test('completions at the same moment give one object', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node)
  const { headers } = await part(node, id, 1, 'x')
  const all = await Promise.all(
    Array.from({ length: 8 }, () => complete(node, id, [[1, headers.etag as string]])),
  )
  const etags = new Set(all.map(({ status, text }) => (status === 200 ? etagIn(text) : `${status} ${text}`)))
  t.equal(etags.size, 1, `${[...etags]}`)
})

t.test('conditions hold on completions', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node)
  const { headers } = await part(node, id, 1, 'x')
  const parts = [[1, headers.etag as string]] as const
  const { headers: other } = await node.ask({ method: 'PUT', path: '/bucket/key', body: 'other' })
  t.equal((await complete(node, id, parts, { 'if-none-match': '*' })).code, 'PreconditionFailed')
  t.equal((await complete(node, id, parts, { 'if-match': '"x"' })).code, 'PreconditionFailed')
  t.equal((await node.ask({ path: '/bucket/key' })).text, 'other')
  t.equal((await complete(node, id, parts, { 'if-match': other.etag as string })).status, 200)
  t.equal((await node.ask({ path: '/bucket/key' })).text, 'x')
})

t.test('what names no parts, or others than there are', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node)
  const etags = [
    await part(node, id, 1, 'small'),
    await part(node, id, 2, 'x'),
    await part(node, id, 3, PART),
  ].map(({ headers }) => headers.etag as string)
  const [one, two, three] = etags as [string, string, string]
  const rows: [string, readonly (readonly [number, string])[], string][] = [
    ['none', [], 'MalformedXML'],
    ['another ETag', [[1, two]], 'InvalidPart'],
    ['one that never came', [[4, one]], 'InvalidPart'],
    ['number 0', [[0, one]], 'InvalidArgument'],
    ['number 10,001', [[10_001, one]], 'InvalidArgument'],
    [
      'in another order',
      [
        [2, two],
        [1, one],
      ],
      'InvalidPartOrder',
    ],
    [
      'twice the same',
      [
        [1, one],
        [1, one],
      ],
      'InvalidPartOrder',
    ],
    [
      'a small one before others',
      [
        [1, one],
        [3, three],
      ],
      'EntityTooSmall',
    ],
    ['more than 10,000', Array.from({ length: 10_001 }, (_, i) => [i + 1, one]), 'MalformedXML'],
  ]
  for (const [what, parts, code] of rows) t.equal((await complete(node, id, parts)).code, code, what)
  for (const body of ['', 'x', '<CompleteMultipartUpload><Part/></CompleteMultipartUpload>'])
    t.equal(
      (await node.ask({ method: 'POST', path: '/bucket/key', query: { uploadId: id }, body })).code,
      'MalformedXML',
    )
  t.equal((await complete(node, id, [[3, three]], { 'x-amz-mp-object-size': '7' })).code, 'InvalidRequest')
  t.equal(
    (
      await complete(node, id, [
        [3, three],
        [2, two],
      ])
    ).code,
    'InvalidPartOrder',
  )
  t.equal((await node.ask({ path: '/bucket/key' })).code, 'NoSuchKey')
  t.equal(
    (await complete(node, id, [[2, two.replaceAll('"', '')]])).status,
    200,
    'tags without quotes, and parts left out',
  )
})

t.test('checksums of the whole object', async t => {
  const node = await nodeWithBucket(t)
  const whole = await begin(node, { 'x-amz-checksum-algorithm': 'CRC64NVME' })
  const { headers } = await part(node, whole, 1, '123456789')
  t.equal(headers['x-amz-checksum-crc64nvme'], 'rosUhgp5mIg=')
  const parts = [[1, headers.etag as string]] as const
  t.equal(
    (await complete(node, whole, parts, { 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=' })).code,
    'BadDigest',
  )
  t.equal((await complete(node, whole, parts, { 'x-amz-checksum-crc32': 'AAAAAA==' })).code, 'InvalidRequest')
  const done = await complete(node, whole, parts, { 'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=' })
  t.same(textsOf(done.text, 'ChecksumType'), ['FULL_OBJECT'])
  const got = await node.ask({ path: '/bucket/key', headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  t.equal(got.headers['x-amz-checksum-crc64nvme'], 'rosUhgp5mIg=')

  const composite = await begin(node, { 'x-amz-checksum-algorithm': 'SHA256' })
  const etag = (await part(node, composite, 1, '123456789')).headers.etag as string
  // sha256(sha256("123456789")), of one part.
  const value = 'KSsNAHVmgy25S/rmic1w0at3KBH9RLn0nYVQ7p6mpJQ=-1'
  t.same(textsOf((await complete(node, composite, [[1, etag]])).text, 'ChecksumSHA256'), [value])
})

t.test('of several completions with other parts one succeeds', async t => {
  const node = await nodeWithBucket(t)
  for (let round = 0; round < 3; round++) {
    const id = await begin(node)
    const [one, two] = [await part(node, id, 1, PART), await part(node, id, 2, 'y')].map(
      ({ headers }) => headers.etag as string,
    ) as [string, string]
    const lists = [
      [[1, one]],
      [
        [1, one],
        [2, two],
      ],
      [[2, two]],
    ] as [number, string][][]
    const all = await Promise.all(lists.map(list => complete(node, id, list)))
    const won = all.findIndex(({ status }) => status === 200)
    t.equal(all.filter(({ status }) => status === 200).length, 1)
    for (const { code } of all.filter(({ status }) => status !== 200))
      t.match(code, /^(OperationAborted|NoSuchUpload)$/)
    const again = await complete(node, id, lists[won] as [number, string][])
    t.equal(etagIn(again.text), etagIn((all[won] as (typeof all)[0]).text), 'and may be repeated')
  }
})

t.test('an upload is given up or completed, never both', async t => {
  const node = await nodeWithBucket(t)
  for (let round = 0; round < 6; round++) {
    await node.ask({ method: 'DELETE', path: '/bucket/key' })
    const id = await begin(node)
    const { headers } = await part(node, id, 1, PART)
    const [completed, aborted] = await Promise.all([
      complete(node, id, [[1, headers.etag as string]]),
      new Promise(resolve => setTimeout(resolve, round * 4)).then(() =>
        node.ask({ method: 'DELETE', path: '/bucket/key', query: { uploadId: id } }),
      ),
    ])
    t.not(completed.status === 200, aborted.status === 204, `${completed.status} ${aborted.status}`)
    const there = (await node.ask({ method: 'HEAD', path: '/bucket/key' })).status === 200
    t.equal(there, completed.status === 200)
  }
})

t.test('a completion that comes to nothing lets another one try', async t => {
  const node = await nodeWithBucket(t)
  const id = await begin(node, { 'x-amz-checksum-algorithm': 'CRC64NVME' })
  const { headers } = await part(node, id, 1, 'x')
  const parts = [[1, headers.etag as string]] as const
  t.equal((await complete(node, id, parts, { 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=' })).code, 'BadDigest')
  t.equal((await complete(node, id, parts, { 'if-none-match': '*' })).status, 200, 'under another condition')
})
