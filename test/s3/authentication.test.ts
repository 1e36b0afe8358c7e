import t from 'tap'
import {
  Authentication,
  EXPIRES_MAX_SECONDS,
  SKEW_MAX_MS,
  type UncheckedRequest,
} from '../../src/s3/authentication.ts'
import { percentDecode } from '../../src/s3/sigv4.ts'
import { KEY_ID, SECRET, type Sent, type Signing, sign } from './s3-client.ts'

const NOW = new Date('2026-01-30T12:00:00Z')
const keys = [
  { id: KEY_ID, secret: SECRET, readOnly: false },
  { id: 'reader/with/slashes', secret: 'another', readOnly: true },
]
const authentication = new Authentication(keys)

/** What the server would have read of a request. */
function asRead({ method, path, query, headers }: Required<Sent>): UncheckedRequest {
  return {
    method,
    rawPath: path,
    query: Object.entries(query).map(
      pair => pair.map(text => percentDecode(encodeURIComponent(text))) as [string, string],
    ),
    headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
  }
}

const signed = async (sent: Partial<Sent> = {}, signing: Signing = {}) =>
  asRead(await sign('http://127.0.0.1:9000', { path: '/bucket/key', ...sent }, { date: NOW, ...signing }))

const without = (request: UncheckedRequest, name: string): UncheckedRequest => {
  const headers = new Map(request.headers)
  headers.delete(name)
  return { ...request, headers, query: request.query.filter(([one]) => one !== name) }
}

const withHeader = (request: UncheckedRequest, name: string, value: string): UncheckedRequest => ({
  ...request,
  headers: new Map([...request.headers, [name, [value]]]),
})

const withParameter = (request: UncheckedRequest, name: string, value: string): UncheckedRequest => ({
  ...request,
  query: [...request.query.filter(([one]) => one !== name), [name, value]],
})

t.test('the right key is found, in headers and in queries', async t => {
  const { key, payload } = authentication.authenticate(
    await signed({ method: 'PUT', body: 'abc' }),
    NOW.getTime(),
  )
  t.equal(key.id, KEY_ID)
  t.same(payload, {
    kind: 'hash',
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  })
  const presigned = authentication.authenticate(await signed({}, { expiresIn: 60 }), NOW.getTime())
  t.equal(presigned.key.id, KEY_ID)
  const reader = await signed({}, { keyId: 'reader/with/slashes', secret: 'another' })
  t.ok(authentication.authenticate(reader, NOW.getTime()).key.readOnly)
})

t.test('what a request says of its payload', async t => {
  const kindOf = async (word: string) => {
    const request = await signed({ headers: { 'x-amz-content-sha256': word } })
    return authentication.authenticate(request, NOW.getTime()).payload
  }
  t.same(await kindOf('UNSIGNED-PAYLOAD'), { kind: 'unsigned' })
  t.match(await kindOf('STREAMING-AWS4-HMAC-SHA256-PAYLOAD'), {
    kind: 'chunks',
    trailer: false,
    signing: { timestamp: '20260130T120000Z' },
  })
  t.match(await kindOf('STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'), {
    kind: 'chunks',
    trailer: true,
    signing: {},
  })
  t.same(await kindOf('STREAMING-UNSIGNED-PAYLOAD-TRAILER'), {
    kind: 'chunks',
    trailer: true,
    signing: undefined,
  })
  await t.rejects(kindOf('STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD'), { code: 'NotImplemented' })
  await t.rejects(kindOf('abc'), { code: 'InvalidArgument' })
})

t.test('each refusal', async t => {
  const good = await signed()
  const url = await signed({}, { expiresIn: 60 })
  const rows: [string, UncheckedRequest, string][] = [
    ['no signature', without(good, 'authorization'), 'AccessDenied'],
    ['a wrong secret', await signed({}, { secret: `${SECRET}x` }), 'SignatureDoesNotMatch'],
    ['an unknown key', await signed({}, { keyId: 'nobody' }), 'InvalidAccessKeyId'],
    ['another method', { ...good, method: 'DELETE' }, 'SignatureDoesNotMatch'],
    ['another path', { ...good, rawPath: '/bucket/kez' }, 'SignatureDoesNotMatch'],
    ['another query', withParameter(good, 'acl', ''), 'SignatureDoesNotMatch'],
    ['another host', withHeader(good, 'host', 'example.com'), 'SignatureDoesNotMatch'],
    ['another hash', withHeader(good, 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD'), 'SignatureDoesNotMatch'],
    ['no hash', without(good, 'x-amz-content-sha256'), 'InvalidRequest'],
    ['no date', without(good, 'x-amz-date'), 'AccessDenied'],
    ['an unsigned header that means something', withHeader(good, 'x-amz-acl', 'public-read'), 'AccessDenied'],
    ['of version 2', withHeader(good, 'authorization', 'AWS id:signature'), 'InvalidRequest'],
    ['a bearer token', withHeader(good, 'authorization', 'Bearer x'), 'InvalidArgument'],
    [
      'asymmetric',
      withHeader(good, 'authorization', 'AWS4-ECDSA-P256-SHA256 Credential=x'),
      'NotImplemented',
    ],
    [
      'half of it',
      withHeader(good, 'authorization', 'AWS4-HMAC-SHA256 Credential=x'),
      'AuthorizationHeaderMalformed',
    ],
    [
      'a credential of another form',
      withHeader(good, 'authorization', 'AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature=z'),
      'AuthorizationHeaderMalformed',
    ],
    [
      'of another service',
      withHeader(good, 'authorization', String(good.headers.get('authorization')).replace('/s3/', '/ec2/')),
      'AuthorizationHeaderMalformed',
    ],
    [
      'of another day',
      withHeader(
        good,
        'authorization',
        String(good.headers.get('authorization')).replace('/20260130/', '/20260129/'),
      ),
      'AuthorizationHeaderMalformed',
    ],
    [
      'that signs a header it does not have',
      withHeader(
        good,
        'authorization',
        String(good.headers.get('authorization')).replace('SignedHeaders=', 'SignedHeaders=absent;'),
      ),
      'AccessDenied',
    ],
    ['twice', withHeader(url, 'authorization', 'AWS4-HMAC-SHA256 x'), 'InvalidArgument'],
    [
      'a URL of version 2',
      withParameter(without(good, 'authorization'), 'AWSAccessKeyId', 'id'),
      'InvalidRequest',
    ],
    ['a URL with another algorithm', withParameter(url, 'X-Amz-Algorithm', 'X'), 'InvalidRequest'],
    ['a URL without expiry', without(url, 'X-Amz-Expires'), 'AuthorizationQueryParametersError'],
    [
      'a URL for too long',
      withParameter(url, 'X-Amz-Expires', String(EXPIRES_MAX_SECONDS + 1)),
      'AuthorizationQueryParametersError',
    ],
    ['a URL for no time', withParameter(url, 'X-Amz-Expires', '0'), 'AuthorizationQueryParametersError'],
    ['a URL made longer', withParameter(url, 'X-Amz-Expires', '61'), 'SignatureDoesNotMatch'],
    ['a URL of another key', { ...url, rawPath: '/bucket/other' }, 'SignatureDoesNotMatch'],
    [
      'a URL with one changed character',
      withParameter(url, 'X-Amz-Signature', 'f'.repeat(64)),
      'SignatureDoesNotMatch',
    ],
    [
      'a URL with an odd date',
      withParameter(url, 'X-Amz-Date', 'today'),
      'AuthorizationQueryParametersError',
    ],
  ]
  for (const [what, request, code] of rows)
    t.throws(() => authentication.authenticate(request, NOW.getTime()), { code }, what)
})

t.test('clocks may differ by a quarter of an hour', async t => {
  const request = await signed()
  for (const skew of [-SKEW_MAX_MS, SKEW_MAX_MS]) {
    t.ok(authentication.authenticate(request, NOW.getTime() + skew))
    const beyond = NOW.getTime() + skew + Math.sign(skew)
    t.throws(() => authentication.authenticate(request, beyond), { code: 'RequestTimeTooSkewed' })
  }
})

t.test('a URL is good until it expires', async t => {
  const url = await signed({}, { expiresIn: 60 })
  t.ok(authentication.authenticate(url, NOW.getTime() + 60_000))
  t.throws(() => authentication.authenticate(url, NOW.getTime() + 60_001), {
    code: 'AccessDenied',
    message: /expired/,
  })
  t.throws(() => authentication.authenticate(url, NOW.getTime() - SKEW_MAX_MS - 1), {
    code: 'AccessDenied',
    message: /not valid yet/,
  })
})

t.test('a Date stands for the date of Amazon', async t => {
  const request = await signed()
  const dated = withHeader(without(request, 'x-amz-date'), 'date', NOW.toUTCString())
  // The signed headers name x-amz-date still.
  t.throws(() => authentication.authenticate(dated, NOW.getTime()), { code: 'AccessDenied' })
})
