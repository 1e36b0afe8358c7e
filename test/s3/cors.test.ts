import t from 'tap'
import { corsHeaders, preflightHeaders } from '../../src/s3/cors.ts'
import { send } from './s3-client.ts'
import { nodeWithBucket } from './s3-node.ts'

const origins = ['https://a.example']

t.test('who may read an answer', async t => {
  t.same(corsHeaders({ origin: 'https://a.example' }, []), {})
  t.same(corsHeaders({ origin: 'https://b.example' }, origins), { vary: 'Origin' })
  t.same(corsHeaders({}, origins), { vary: 'Origin' })
  t.match(corsHeaders({ origin: 'https://a.example' }, origins), {
    'access-control-allow-origin': 'https://a.example',
  })
  t.match(corsHeaders({ origin: 'https://b.example' }, ['*']), {
    'access-control-allow-origin': 'https://b.example',
  })
})

t.test('preflights', async t => {
  const asked = {
    origin: 'https://a.example',
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'x-amz-date',
  }
  t.match(preflightHeaders(asked, origins), {
    'access-control-allow-methods': /PUT/,
    'access-control-allow-headers': 'x-amz-date',
  })
  t.throws(() => preflightHeaders({ ...asked, origin: 'https://b.example' }, origins), {
    code: 'AccessForbidden',
  })
  t.throws(() => preflightHeaders({ origin: asked.origin }, origins), { code: 'AccessForbidden' })
})

t.test('a page at the endpoint', async t => {
  const { s3, ask } = await nodeWithBucket(t, { s3CorsOrigin: 'https://a.example' })
  const origin = 'https://a.example'
  const preflight = {
    method: 'OPTIONS',
    path: '/bucket/key',
    headers: { host: 'h', origin, 'access-control-request-method': 'GET' },
  }
  t.match(await send(s3, preflight), { status: 200, headers: { 'access-control-allow-origin': origin } })
  const other = { ...preflight, headers: { ...preflight.headers, origin: 'https://b.example' } }
  t.match(await send(s3, other), { status: 403, code: 'AccessForbidden' })
  const missing = await ask({ path: '/bucket/key', headers: { origin } })
  t.match(
    missing,
    { status: 404, headers: { 'access-control-allow-origin': origin } },
    'a page may read refusals',
  )
  t.equal(
    (await send(s3, { path: '/bucket/key', headers: { host: 'h', origin } })).status,
    403,
    'without a signature nothing is read',
  )
})
