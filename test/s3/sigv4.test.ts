import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import {
  canonicalRequest,
  chunkSignature,
  EMPTY_SHA256,
  isSameSignature,
  percentDecode,
  type SignedRequest,
  signatureOf,
  signingKey,
  stringToSign,
  timestampMs,
  trailerSignature,
} from '../../src/s3/sigv4.ts'
import { KEY_ID, SECRET, sign } from './s3-client.ts'

/** The examples of the S3 API reference: "Signature Calculations for the Authorization Header", and for chunks. */
const SECRET_OF_EXAMPLES = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const TIMESTAMP = '20130524T000000Z'
const SCOPE = { date: '20130524', region: 'us-east-1', service: 's3' }
const HOST = 'examplebucket.s3.amazonaws.com'

function signatureOfRequest(request: SignedRequest, secret = SECRET_OF_EXAMPLES): string {
  return signatureOf(signingKey(secret, SCOPE), stringToSign(TIMESTAMP, SCOPE, canonicalRequest(request)))
}

function example(
  method: string,
  target: string,
  headers: Record<string, string>,
  payloadHash = EMPTY_SHA256,
): SignedRequest {
  const [rawPath = '', text = ''] = target.split('?')
  const all = { host: HOST, 'x-amz-content-sha256': payloadHash, 'x-amz-date': TIMESTAMP, ...headers }
  return {
    method,
    rawPath,
    query: text === '' ? [] : text.split('&').map(field => field.split('=').concat('') as [string, string]),
    headers: new Map(Object.entries(all).map(([name, value]) => [name, [value]])),
    signedHeaders: Object.keys(all).sort(),
    payloadHash,
  }
}

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

t.test('the examples of the reference have the signatures that it says', async t => {
  const rows: [string, SignedRequest, string][] = [
    [
      'GET Object',
      example('GET', '/test.txt', { range: 'bytes=0-9' }),
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'PUT Object',
      example(
        'PUT',
        '/test$file.text',
        { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
        sha256('Welcome to Amazon S3.'),
      ),
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'GET Bucket Lifecycle',
      example('GET', '/?lifecycle', {}),
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      'List Objects',
      example('GET', '/?max-keys=2&prefix=J', {}),
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
  ]
  for (const [name, request, signature] of rows) t.equal(signatureOfRequest(request), signature, name)
})

t.test('the presigned example of the reference', async t => {
  const query: [string, string][] = [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'],
    ['X-Amz-Date', TIMESTAMP],
    ['X-Amz-Expires', '86400'],
    ['X-Amz-SignedHeaders', 'host'],
  ]
  const request: SignedRequest = {
    method: 'GET',
    rawPath: '/test.txt',
    query,
    headers: new Map([['host', [HOST]]]),
    signedHeaders: ['host'],
    payloadHash: 'UNSIGNED-PAYLOAD',
  }
  t.equal(signatureOfRequest(request), 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404')
})

t.test('the chunks of the reference sign each other', async t => {
  const seedSignature = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9'
  const signing = {
    key: signingKey(SECRET_OF_EXAMPLES, SCOPE),
    timestamp: TIMESTAMP,
    scope: SCOPE,
    seedSignature,
  }
  const first = chunkSignature(signing, seedSignature, sha256('a'.repeat(65_536)))
  t.equal(first, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648')
  const second = chunkSignature(signing, first, sha256('a'.repeat(1024)))
  t.equal(second, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497')
  const last = chunkSignature(signing, second, EMPTY_SHA256)
  t.equal(last, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9')
})

t.test('the trailer of the reference', async t => {
  const seedSignature = '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e'
  const signing = {
    key: signingKey(SECRET_OF_EXAMPLES, SCOPE),
    timestamp: TIMESTAMP,
    scope: SCOPE,
    seedSignature,
  }
  let previous = chunkSignature(signing, seedSignature, sha256('a'.repeat(65_536)))
  previous = chunkSignature(signing, previous, sha256('a'.repeat(1024)))
  previous = chunkSignature(signing, previous, EMPTY_SHA256)
  t.equal(previous, '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992')
  const trailer = trailerSignature(signing, previous, 'x-amz-checksum-crc32c:sOO8/Q==\n')
  t.equal(trailer, 'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435')
})

/** As Amazon's clients write a path: they sign it as they send it. */
const encodeAll = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, one => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)

const piece = fc.string({ unit: fc.constantFrom(...'aZ9-_.~ /+%=&?#"é€😀!*\'()'), maxLength: 12 })

t.test("whatever Amazon's signer signs has the same signature here", async t => {
  const cases = fc.record({
    method: fc.constantFrom('GET', 'PUT', 'DELETE'),
    segments: fc.array(piece, { maxLength: 4 }),
    query: fc.dictionary(
      piece.filter(name => name !== ''),
      piece,
      { maxKeys: 4, noNullPrototype: true },
    ),
    meta: fc.string({ unit: fc.constantFrom(...'ab  c='), maxLength: 12 }),
    body: piece,
  })
  await fc.assert(
    fc.asyncProperty(cases, async ({ method, segments, query, meta, body }) => {
      const path = `/${segments.map(encodeAll).join('/')}`
      const headers = { 'x-amz-meta-a': meta }
      const signed = await sign('http://127.0.0.1:9', { method, path, query, headers, body })
      const authorization = signed.headers.authorization as string
      const [, date] = /Credential=[^/]+\/(\d{8})\//.exec(authorization) as RegExpExecArray
      const scope = { date: date as string, region: 'us-east-1', service: 's3' }
      const request: SignedRequest = {
        method,
        rawPath: path,
        query: Object.entries(query).map(
          pair => pair.map(text => Buffer.from(text).toString('latin1')) as [string, string],
        ),
        headers: new Map(Object.entries(signed.headers).map(([name, value]) => [name, [value]])),
        signedHeaders: String(/SignedHeaders=([^,]+)/.exec(authorization)?.[1]).split(';'),
        payloadHash: signed.headers['x-amz-content-sha256'] as string,
      }
      const text = stringToSign(signed.headers['x-amz-date'] as string, scope, canonicalRequest(request))
      t.match(authorization, `Credential=${KEY_ID}/`)
      return authorization.endsWith(`Signature=${signatureOf(signingKey(SECRET, scope), text)}`)
    }),
    { numRuns: 300 },
  )
})

t.test('the same path in another encoding is the same request', async t => {
  const signatures = ['/a%20b/%C3%BC~', '/a%20b/%c3%bc%7E', '/a b/%C3%BC~'].map(path =>
    signatureOfRequest(example('GET', path, {})),
  )
  t.equal(new Set(signatures).size, 1)
  t.not(signatureOfRequest(example('GET', '/a%2Fb', {})), signatureOfRequest(example('GET', '/a/b', {})))
})

t.test('percent-decoding gives bytes, and leaves what is none', async t => {
  t.equal(percentDecode('%C3%BC%2f%zz%2'), '\xc3\xbc/%zz%2')
})

t.test('timestamps', async t => {
  t.equal(timestampMs('20130524T000000Z'), Date.UTC(2013, 4, 24))
  for (const bad of ['', '20130524', '20130524T000000', '20131324T000000Z', '2013-05-24T00:00:00Z'])
    t.equal(timestampMs(bad), undefined, bad)
})

t.test('signatures are compared whole', async t => {
  t.ok(isSameSignature('ab', 'ab'))
  t.notOk(isSameSignature('ab', 'aB'))
  t.notOk(isSameSignature('ab', 'abc'))
  t.notOk(isSameSignature('', 'ab'))
})
