import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import t from 'tap'
import { chunkSignature, signingKey, trailerSignature } from '../../src/s3/sigv4.ts'
import { SECRET, send, sign } from './s3-client.ts'
import { nodeWithBucket } from './s3-node.ts'

/** A put whose body comes in signed chunks, with a trailer when there is one. */
async function signedChunks(url: string, chunks: readonly string[], trailer?: string) {
  const size = chunks.join('').length
  const kind = `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer === undefined ? '' : '-TRAILER'}`
  const sent = await sign(url, {
    method: 'PUT',
    path: '/bucket/key',
    headers: {
      'content-encoding': 'aws-chunked',
      'x-amz-content-sha256': kind,
      'x-amz-decoded-content-length': String(size),
      ...(trailer === undefined ? {} : { 'x-amz-trailer': trailer.split(':')[0] as string }),
    },
  })
  const authorization = sent.headers.authorization as string
  const [, date = '', region = ''] = /Credential=[^/]+\/(\d+)\/([^/]+)\//.exec(authorization) ?? []
  const [, seedSignature = ''] = /Signature=(\w+)/.exec(authorization) ?? []
  const scope = { date, region, service: 's3' }
  const signing = {
    key: signingKey(SECRET, scope),
    timestamp: sent.headers['x-amz-date'] as string,
    scope,
    seedSignature,
  }
  let previous = seedSignature
  let body = ''
  for (const chunk of [...chunks, '']) {
    previous = chunkSignature(signing, previous, createHash('sha256').update(chunk).digest('hex'))
    body += `${chunk.length.toString(16)};chunk-signature=${previous}\r\n${chunk}${chunk === '' ? '' : '\r\n'}`
  }
  if (trailer !== undefined)
    body += `${trailer}\r\nx-amz-trailer-signature:${trailerSignature(signing, previous, `${trailer}\n`)}\r\n`
  return { ...sent, body: `${body}\r\n` }
}

/** The same without signatures of the chunks, as clients do over TLS. */
const unsignedChunks = (url: string, trailer: string, body = '5\r\nhello\r\n') =>
  sign(url, {
    method: 'PUT',
    path: '/bucket/key',
    headers: {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': '5',
      'x-amz-trailer': trailer.split(':')[0] as string,
    },
    body: `${body}0\r\n${trailer}\r\n\r\n`,
  })

t.test('bodies in chunks, signed and not, with trailers and without', async t => {
  const { s3, ask } = await nodeWithBucket(t)
  const get = async () =>
    (await ask({ path: '/bucket/key', headers: { 'x-amz-checksum-mode': 'ENABLED' } })) as {
      text: string
      headers: object
    }
  t.equal((await send(s3, await signedChunks(s3, ['hel', 'lo']))).status, 200)
  t.match(await get(), { text: 'hello' })
  t.equal(
    (await send(s3, await signedChunks(s3, ['hello!'], 'x-amz-checksum-crc32c:5Lu1Xw=='))).code,
    'BadDigest',
  )
  t.equal(
    (await send(s3, await signedChunks(s3, ['123456789'], 'x-amz-checksum-crc32c:4waSgw=='))).status,
    200,
  )
  t.match(await get(), { text: '123456789', headers: { 'x-amz-checksum-crc32c': '4waSgw==' } })
  const put = await send(s3, await unsignedChunks(s3, 'x-amz-checksum-crc64nvme:M3eFcAZSQlc='))
  t.match(put, { status: 200, headers: { 'x-amz-checksum-crc64nvme': 'M3eFcAZSQlc=' } })
  t.match(await get(), { text: 'hello', headers: { 'x-amz-checksum-crc64nvme': 'M3eFcAZSQlc=' } })
})

t.test('a spoiled chunk or trailer leaves nothing visible', async t => {
  const { s3, ask } = await nodeWithBucket(t)
  const chunks = await signedChunks(s3, ['hello', 'world'])
  t.equal(
    (await send(s3, { ...chunks, body: String(chunks.body).replace('world', 'World') })).code,
    'SignatureDoesNotMatch',
  )
  t.equal(
    (await send(s3, await unsignedChunks(s3, 'x-amz-checksum-crc64nvme:AAAAAAAAAAA='))).code,
    'BadDigest',
  )
  t.equal(
    (await send(s3, await unsignedChunks(s3, 'x-amz-checksum-crc64nvme:M3eFcAZSQlc=', '6\r\nhello!\r\n')))
      .code,
    'IncompleteBody',
  )
  t.equal(
    (await send(s3, await unsignedChunks(s3, 'x-amz-checksum-crc64nvme:M3eFcAZSQlc=', '4\r\nhell\r\n'))).code,
    'IncompleteBody',
  )
  const missing = await unsignedChunks(s3, 'x-amz-checksum-crc64nvme:M3eFcAZSQlc=')
  t.equal((await send(s3, { ...missing, body: '5\r\nhello\r\n0\r\n\r\n' })).code, 'InvalidRequest')
  const length = await sign(s3, {
    method: 'PUT',
    path: '/bucket/key',
    headers: { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' },
    body: 'x',
  })
  t.match(await send(s3, length), { status: 411, code: 'MissingContentLength' })
  t.equal((await ask({ path: '/bucket/key' })).code, 'NoSuchKey')
})

t.test('a body that is cut off is not stored', async t => {
  const { s3, ask } = await nodeWithBucket(t)
  const signed = await sign(s3, { method: 'PUT', path: '/bucket/key', body: 'hello' })
  const { hostname, port } = new URL(s3)
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      const lines = Object.entries({ ...signed.headers, 'content-length': '5' }).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      )
      socket.end(`PUT /bucket/key HTTP/1.1\r\n${lines.join('')}\r\nhel`)
    })
    socket
      .on('error', reject)
      .on('close', () => resolve())
      .resume()
  })
  t.equal((await ask({ path: '/bucket/key' })).code, 'NoSuchKey')
})

t.test(
  "the checksum of nothing in a presigned URL, which Amazon's client puts there, is not that of the body",
  async t => {
    const { s3 } = await nodeWithBucket(t)
    const put = async (checksum: string) => {
      const url = await sign(
        s3,
        {
          method: 'PUT',
          path: '/bucket/key',
          query: { 'x-amz-checksum-crc32': checksum, 'x-amz-sdk-checksum-algorithm': 'CRC32' },
        },
        { expiresIn: 60 },
      )
      return send(s3, { ...url, body: 'hello' })
    }
    t.equal((await put('AAAAAA==')).status, 200)
    t.equal((await put('AAAAAQ==')).code, 'BadDigest')
    t.equal((await put('NhCmhg==')).status, 200)
  },
)
