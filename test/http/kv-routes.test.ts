import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import type { InjectOptions } from 'fastify'
import t from 'tap'
import { StoreError } from '../../src/errors.ts'
import { parseKey, pathOfKey, VALUE_BYTES_MAX } from '../../src/files/key-values.ts'
import { codeOf, exchange, runServer } from './running-server.ts'

const post = (payload: string | Buffer, headers: Record<string, string> = {}) => ({
  method: 'POST' as const,
  url: '/kv',
  payload,
  headers: { 'content-type': 'application/json', ...headers },
})
const pair = (key: unknown, value: unknown) => post(JSON.stringify({ key, value }))
const encoded = (key: string) => encodeURIComponent(key).replaceAll('*', '%2A')

t.test('stored, found, replaced, deleted', async t => {
  const { server } = await runServer(t)
  const first = await server.inject(pair('color', 'blue'))
  t.equal(first.statusCode, 200)
  t.match(first.json(), {
    key: 'color',
    value: 'blue',
    status: 'inserted',
    receipt: { path: 'kv/color', size: 6, durable: false, replicas: ['node.test:5000'] },
  })
  t.equal(first.headers['ring-chain'], 'node.test:5000')
  t.equal(first.headers.etag, first.json().receipt.etag)
  const found = await server.inject('/kv/color')
  t.same(found.json(), { key: 'color', value: 'blue', status: 'found' })
  t.equal(found.headers.etag, first.headers.etag)
  t.equal(found.headers['ring-hops'], '0')
  t.match((await server.inject(pair('color', 'red'))).json(), { value: 'red', status: 'updated' })
  const gone = await server.inject({ method: 'DELETE', url: '/kv/color' })
  t.equal(gone.statusCode, 200)
  t.same(gone.json(), { key: 'color', value: null, status: 'deleted' })
  for (const method of ['GET', 'DELETE'] as const) {
    const missing = await server.inject({ method, url: '/kv/color' })
    t.equal(missing.statusCode, 404, method)
    t.match(missing.json().error, {
      code: 'FILE_NOT_FOUND',
      message: 'No pair has this key.',
      path: 'kv/color',
    })
  }
})

t.test('the same pairs in the words of insert, query and delete', async t => {
  const { server } = await runServer(t)
  const insert = await server.inject({
    method: 'POST',
    url: '/insert/Like%20a%20Rolling%20Stone/node/5%3F/a+b',
  })
  t.equal(insert.statusCode, 200)
  t.match(insert.json(), { key: 'Like a Rolling Stone', value: 'node/5?/a+b', message: 'inserted' })
  t.same((await server.inject('/query/Like%20a%20Rolling%20Stone')).json(), {
    key: 'Like a Rolling Stone',
    value: 'node/5?/a+b',
    message: 'found',
  })
  t.equal((await server.inject('/kv/Like%20a%20Rolling%20Stone')).json().value, 'node/5?/a+b')
  t.equal((await server.inject({ method: 'POST', url: '/insert/a%2Fb/c', payload: '{}' })).json().key, 'a/b')
  t.match((await server.inject({ method: 'POST', url: '/insert/a%2Fb/d' })).json(), { message: 'updated' })
  t.equal((await server.inject('/query/a/b')).json().value, 'd', 'a query takes slashes as they are')
  t.same((await server.inject({ method: 'DELETE', url: '/delete/a/b' })).json(), {
    key: 'a/b',
    value: null,
    message: 'deleted',
  })
  t.equal((await server.inject('/query/a/b')).statusCode, 404)
  t.equal((await server.inject({ method: 'DELETE', url: '/delete/a/b' })).statusCode, 404)
})

t.test('keys of every kind, at each endpoint', async t => {
  const { server } = await runServer(t)
  const keys = [
    'two words',
    'a/b/c',
    '/a//',
    '../../etc/passwd',
    'C:\\x',
    '.htaccess',
    '*',
    '%',
    '%2F',
    '+',
    '?a=b#c',
    '😀'.repeat(64),
    '\u0000\n',
    'é',
    'e\u0301',
  ]
  for (const [i, key] of keys.entries()) t.equal((await server.inject(pair(key, i))).statusCode, 200, key)
  for (const [i, key] of keys.entries()) {
    for (const endpoint of ['kv', 'query']) {
      t.match(
        (await server.inject(`/${endpoint}/${encoded(key)}`)).json(),
        { key, value: i },
        `${endpoint} ${JSON.stringify(key)}`,
      )
    }
  }
  const all = (await server.inject('/query/*')).json()
  t.same(new Set(all.value.map((each: { key: string }) => each.key)), new Set(keys))
  for (const key of keys)
    t.equal((await server.inject({ method: 'DELETE', url: `/kv/${encoded(key)}` })).statusCode, 200, key)
  t.same((await server.inject('/list')).json().files, [])
})

t.test('keys that URL libraries take for steps', async t => {
  const { server, port } = await runServer(t, { listen: true })
  for (const key of ['.', '..']) {
    t.match((await server.inject(pair(key, 1))).json(), {
      status: 'inserted',
      receipt: { path: pathOfKey(parseKey(key)) },
    })
    for (const written of [key, key.replaceAll('.', '%2E')]) {
      const answer = await exchange(
        port,
        `GET /kv/${written} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      )
      t.match(answer, `{"key":"${key}","value":1,"status":"found"}`, written)
    }
  }
})

t.test('values keep their digits and their meaning', async t => {
  const { server } = await runServer(t)
  for (const value of [
    'null',
    'false',
    '""',
    '{"a":[1,{"b":null}]}',
    '12345678901234567890.10',
    '"\\ud800"',
    '-0.0',
  ]) {
    t.equal((await server.inject(post(`{"key":"v","value": ${value} }`))).statusCode, 200, value)
    t.equal((await server.inject('/kv/v')).body, `{"key":"v","value":${value},"status":"found"}\n`)
    t.equal((await server.inject('/get/kv/v')).body, value)
  }
})

t.test('a key that is no string stands for its JSON text', async t => {
  const { server } = await runServer(t)
  t.match((await server.inject(pair(7, 'seven'))).json(), { key: '7', value: 'seven' })
  t.match((await server.inject(pair([1, 'é'], 'list'))).json(), { key: '[1,"é"]' })
  t.equal((await server.inject('/kv/7')).json().value, 'seven')
  t.equal((await server.inject(`/kv/${encoded('[1,"é"]')}`)).json().value, 'list')
})

t.test('pairs are files', async t => {
  const { server } = await runServer(t, { allowedExtensions: ['txt'] })
  await server.inject(pair('a', { x: 1 }))
  const file = await server.inject('/get/kv/a')
  t.equal(file.body, '{"x":1}')
  t.equal(file.headers['content-type'], 'application/json')
  t.match((await server.inject('/list/kv/')).json().files, [{ path: 'kv/a', mediaType: 'application/json' }])
  t.equal((await server.inject({ method: 'POST', url: '/copy/kv%2Fa/b.txt' })).statusCode, 201)
  t.equal((await server.inject('/get/b.txt')).body, '{"x":1}')
  await server.inject({ method: 'PUT', url: '/put/kv/text.txt', payload: 'plain' })
  const noPair = await server.inject('/kv/text.txt')
  t.equal(noPair.statusCode, 404)
  t.match(noPair.json().error.message, /holds no JSON value/)
})

t.test('all pairs: a document, or lines', async t => {
  const { server } = await runServer(t)
  t.equal((await server.inject('/query/*')).body, '{"message":"found","value":[]}')
  for (const key of ['b', 'a', 'c d']) await server.inject(pair(key, key.toUpperCase()))
  const all = await server.inject('/query/*')
  t.same(all.json(), {
    message: 'found',
    value: [
      { key: 'a', value: 'A' },
      { key: 'b', value: 'B' },
      { key: 'c d', value: 'C D' },
    ],
  })
  t.equal(all.headers['content-type'], 'application/json; charset=utf-8')
  const lines = await server.inject({ url: '/query/*', headers: { accept: 'application/x-ndjson' } })
  t.equal(lines.body, '{"key":"a","value":"A"}\n{"key":"b","value":"B"}\n{"key":"c d","value":"C D"}\n')
  t.equal((await server.inject({ method: 'HEAD', url: '/query/*' })).body, '')
  t.equal((await server.inject('/query/%2A')).statusCode, 404, 'the key that is a star')
  t.equal((await server.inject('/kv/*')).statusCode, 404)
})

t.test('a list that breaks is a broken connection, never a shorter list', async t => {
  const { port, server, files } = await runServer(t, { listen: true })
  for (let i = 0; i < 40; i++) await server.inject(pair(`k${i}`, 'x'.repeat(10_000)))
  const { find } = files
  let finds = 0
  files.find = async path => {
    if (++finds > 30) throw new Error('the disk is gone')
    return find.call(files, path)
  }
  const answer = await exchange(
    port,
    'GET /query/* HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  ).catch(() => '')
  t.notMatch(answer, /0\r\n\r\n$/, 'no end of the last chunk')
})

t.test('a list that cannot begin is a plain refusal', async t => {
  const { server, files } = await runServer(t)
  await server.inject(pair('a', 1))
  files.find = async () => {
    throw new StoreError('UNAVAILABLE', 'Nobody answers for this range.')
  }
  for (const accept of ['application/json', 'application/x-ndjson']) {
    const answer = await server.inject({ url: '/query/*', headers: { accept } })
    t.equal(answer.statusCode, 503)
    t.equal(codeOf(answer), 'UNAVAILABLE')
  }
})

t.test('conditions: only what is there, only what is not', async t => {
  const { server } = await runServer(t)
  const { etag } = (await server.inject(pair('a', 1))).headers as { etag: string }
  const again = await server.inject(post('{"key":"a","value":2}', { 'if-none-match': '*' }))
  t.equal(again.statusCode, 412)
  t.equal((await server.inject(post('{"key":"a","value":2}', { 'if-match': etag }))).statusCode, 200)
  t.equal((await server.inject(post('{"key":"a","value":3}', { 'if-match': etag }))).statusCode, 412)
  const now = (await server.inject('/kv/a')).headers.etag as string
  t.equal((await server.inject({ url: '/kv/a', headers: { 'if-none-match': now } })).statusCode, 304)
  t.equal(
    (await server.inject({ method: 'DELETE', url: '/kv/a', headers: { 'if-match': etag } })).statusCode,
    412,
  )
  t.equal(
    (await server.inject({ method: 'DELETE', url: '/kv/a', headers: { 'if-none-match': '*' } })).statusCode,
    400,
  )
  t.equal(
    (await server.inject({ method: 'DELETE', url: '/kv/a', headers: { 'if-match': now } })).statusCode,
    200,
  )
})

t.test('a write under a key happens once', async t => {
  const { server } = await runServer(t)
  const keyed = { 'idempotency-key': 'once' }
  const first = await server.inject(post('{"key":"a","value":1}', keyed))
  await server.inject(pair('a', 2))
  t.same(
    (await server.inject(post('{"key":"a", "value": 1}', keyed))).json(),
    first.json(),
    'the first answer again',
  )
  t.equal((await server.inject('/kv/a')).json().value, 2)
  t.equal(codeOf(await server.inject(post('{"key":"a","value":3}', keyed))), 'IDEMPOTENCY_KEY_REUSED')
  const gone = { method: 'DELETE' as const, url: '/delete/a', headers: { 'idempotency-key': 'gone' } }
  t.equal((await server.inject(gone)).statusCode, 200)
  await server.inject(pair('a', 4))
  t.equal((await server.inject(gone)).statusCode, 200)
  t.equal((await server.inject('/kv/a')).json().value, 4)
})

t.test('what is no pair is refused, with a sentence, and nothing is stored', async t => {
  const { server, storage } = await runServer(t, { tokens: { readWrite: 'w', readOnly: 'r' } })
  const authorization = 'Bearer w'
  const long = encodeURIComponent('é'.repeat(129))
  const cases: [InjectOptions, number, string, RegExp][] = [
    [post(''), 400, 'INVALID_REQUEST', /The body is empty/],
    [post('{'), 400, 'INVALID_REQUEST', /The body is not JSON/],
    [post('key=a&value=b'), 400, 'INVALID_REQUEST', /The body is not JSON/],
    [post('"a"'), 400, 'INVALID_REQUEST', /not a JSON object/],
    [post(Buffer.from('{"key":"\xe9","value":1}', 'latin1')), 400, 'INVALID_REQUEST', /not UTF-8/],
    [post('{"value":1}'), 400, 'INVALID_REQUEST', /no member named key/],
    [post('{"key":"a"}'), 400, 'INVALID_REQUEST', /no member named value/],
    [pair('', 1), 400, 'INVALID_REQUEST', /key is refused: it is empty/],
    [pair('a'.repeat(257), 1), 400, 'INVALID_REQUEST', /it has 257 bytes and 256 are allowed/],
    [pair({ a: 'x'.repeat(300) }, 1), 400, 'INVALID_REQUEST', /bytes and 256 are allowed/],
    [post('{"key":"\\ud800","value":1}'), 400, 'INVALID_REQUEST', /not valid Unicode/],
    [pair('a', 'x'.repeat(VALUE_BYTES_MAX)), 413, 'FILE_TOO_LARGE', /262144 bytes/],
    [pair('a', 'x'.repeat(3 * VALUE_BYTES_MAX)), 413, 'FILE_TOO_LARGE', /524288 bytes/],
    [{ ...pair('a', 1), url: '/kv?ttl=5' }, 400, 'INVALID_REQUEST', /Unknown parameter "ttl"/],
    [{ method: 'GET', url: '/kv/' }, 400, 'INVALID_REQUEST', /it is empty/],
    [{ method: 'GET', url: `/kv/${long}` }, 400, 'INVALID_REQUEST', /258 bytes/],
    [{ method: 'GET', url: '/kv/%ff' }, 400, 'INVALID_PATH', /does not encode UTF-8/],
    [{ method: 'GET', url: '/query/%zz' }, 400, 'INVALID_PATH', /malformed/],
    [{ method: 'DELETE', url: '/delete/' }, 400, 'INVALID_REQUEST', /it is empty/],
    [{ method: 'POST', url: '/insert/' }, 400, 'INVALID_REQUEST', /it is empty/],
    [{ method: 'POST', url: '/insert/a' }, 400, 'INVALID_REQUEST', /The value is missing/],
    [{ method: 'POST', url: '/insert/a/' }, 400, 'INVALID_REQUEST', /The value is missing/],
    [{ method: 'POST', url: '/insert//v' }, 400, 'INVALID_REQUEST', /it is empty/],
    [{ method: 'POST', url: '/insert/a/%ff' }, 400, 'INVALID_PATH', /does not encode UTF-8/],
    [{ method: 'POST', url: '/insert/a/b?c' }, 400, 'INVALID_REQUEST', /Unknown parameter/],
    [{ method: 'GET', url: '/insert/a/b' }, 405, 'METHOD_NOT_ALLOWED', /POST/],
    [{ method: 'GET', url: '/kv' }, 405, 'METHOD_NOT_ALLOWED', /POST/],
    [{ ...pair('a', 1), headers: { authorization: 'Bearer r' } }, 403, 'FORBIDDEN', /read only/],
    [post('{"key":"a","value":1}', { 'sec-fetch-site': 'cross-site' }), 403, 'FORBIDDEN', /site/],
    [post('{"key":"a","value":1}', { 'idempotency-key': 'é' }), 400, 'INVALID_REQUEST', /printable ASCII/],
  ]
  for (const [i, [request, status, code, message]] of cases.entries()) {
    const { headers } = request as { headers?: Record<string, string> }
    const answer = await server.inject({ ...request, headers: { authorization, ...headers } })
    t.equal(answer.statusCode, status, `case ${i}: ${answer.body}`)
    t.match(answer.json().error, { code, message }, `case ${i}`)
  }
  t.equal(storage.statistics().files, 0)
  t.equal(storage.statistics().staged, 0)
})

t.test(
  'law: whatever key and value are sent, they come back, or are refused and nothing is there',
  async t => {
    const { server } = await runServer(t)
    const key = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.jsonValue({ maxDepth: 1 }))
    await fc.assert(
      fc.asyncProperty(key, fc.jsonValue(), async (key, value) => {
        const answer = await server.inject(pair(key, value))
        const name = typeof key === 'string' ? key : JSON.stringify(key)
        const legal = name !== '' && name.isWellFormed() && Buffer.byteLength(name) <= 256
        t.equal(answer.statusCode, legal ? 200 : 400, answer.body)
        if (!legal) return
        // A URL library takes these two for steps.
        if (name === '.' || name === '..') return
        const found = (await server.inject(`/query/${encoded(name)}`)).json()
        t.same(found, { key: name, value: JSON.parse(JSON.stringify(value)), message: 'found' })
      }),
      { numRuns: 150 },
    )
  },
)

t.test('law: whatever bytes come as a pair, the answer is a refusal or the pair is there', async t => {
  const { server, storage } = await runServer(t)
  const piece = fc.constantFrom(
    '{',
    '}',
    '"key"',
    '"value"',
    ':',
    ',',
    '1',
    '"a"',
    '[',
    ']',
    ' ',
    '\ufeff',
    '\\',
    '"',
    'null',
    '\0',
    '\xff',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async pieces => {
      const { statusCode } = await server.inject(post(Buffer.from(pieces.join(''), 'latin1')))
      t.ok(statusCode === 200 || statusCode === 400, String(statusCode))
      if (statusCode === 400) return
      const { key } = JSON.parse(pieces.join(''))
      const name = typeof key === 'string' ? key : JSON.stringify(key)
      t.equal((await server.inject({ method: 'DELETE', url: `/kv/${encoded(name)}` })).statusCode, 200)
    }),
    { numRuns: 300 },
  )
  t.equal(storage.statistics().files, 0)
})
