import t from 'tap'
import { codeOf, exchange, runServer } from './running-server.ts'

type Part = { name: string; fileName?: string; type?: string; body: string | Buffer }

function formOf(...parts: Part[]): { payload: Buffer; headers: Record<string, string> } {
  const chunks = parts.flatMap(({ name, fileName, type, body }) => [
    Buffer.from(
      `--BOUND\r\nContent-Disposition: form-data; name="${name}"${fileName === undefined ? '' : `; filename="${fileName}"`}\r\n` +
        `${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`,
    ),
    Buffer.from(body),
    Buffer.from('\r\n'),
  ])
  return {
    payload: Buffer.concat([...chunks, Buffer.from('--BOUND--\r\n')]),
    headers: { 'content-type': 'multipart/form-data; boundary=BOUND' },
  }
}

const post = (url: string, ...parts: Part[]) => ({ method: 'POST' as const, url, ...formOf(...parts) })

t.test('a form with one file, and with several', async t => {
  const { server, storage } = await runServer(t)
  const one = await server.inject(
    post('/upload', { name: 'file', fileName: 'a.txt', type: 'text/plain', body: 'A' }),
  )
  t.equal(one.statusCode, 201)
  t.equal(one.headers['ring-hops'], '0')
  t.match(one.json(), [
    { filename: 'a.txt', status: 'uploaded', path: 'a.txt', size: 1, sha256: /^[0-9a-f]{64}$/ },
  ])
  const get = await server.inject('/get/a.txt')
  t.equal(get.body, 'A')
  t.equal(get.headers['content-type'], 'text/plain')

  const big = Buffer.alloc(3_000_000, 'big')
  const several = await server.inject(
    post(
      '/upload/some/folder',
      { name: 'file', fileName: 'x.bin', body: big },
      { name: 'comment', body: 'is not kept' },
      { name: 'file_obj', fileName: 'y.bin', body: '' },
      { name: 'file', fileName: 'é.bin', body: 'z' },
    ),
  )
  t.equal(several.statusCode, 201)
  t.same(
    several.json().map((receipt: { path: string }) => receipt.path),
    ['some/folder/x.bin', 'some/folder/y.bin', 'some/folder/é.bin'],
  )
  t.ok((await server.inject('/get/some/folder/x.bin')).rawPayload.equals(big))
  t.equal(storage.statistics().files, 4)
  t.equal(storage.statistics().staged, 0)
})

t.test('file_name names the one file, before or after it, and is made safe too', async t => {
  const { server } = await runServer(t)
  const file = { name: 'file', fileName: 'original.txt', body: 'x' }
  const named = (text: string) => ({ name: 'file_name', body: text })
  const first = await server.inject(post('/upload', named('first.txt'), file))
  t.equal(first.json()[0].filename, 'first.txt')
  const second = await server.inject(post('/upload', file, named('../second.txt')))
  t.equal(second.json()[0].path, 'second.txt')
  t.equal((await server.inject(post('/upload', file, named('a'), named('b')))).statusCode, 400)
  t.equal(
    (await server.inject(post('/upload', file, { ...file, fileName: 'b' }, named('a')))).statusCode,
    400,
  )
  t.equal(
    (await server.inject(post('/upload', { name: 'file', body: 'x' }, named('plain.txt')))).statusCode,
    201,
  )
})

t.test('names are made safe', async t => {
  const { server } = await runServer(t)
  for (const [i, [given, safe]] of [
    ['../../etc/passwd', 'passwd'],
    ['C:\\\\dir\\\\x.txt', 'x.txt'],
    ['.hidden', 'hidden'],
    ['NUL', '_NUL'],
  ].entries()) {
    const answer = await server.inject(
      post(`/upload/${i}`, { name: 'file', fileName: given ?? '', body: 'x' }),
    )
    t.equal(answer.json()[0].path, `${i}/${safe}`, given ?? '')
  }
})

t.test('a form that is refused leaves nothing', async t => {
  const { server, storage } = await runServer(t, {
    limits: { fileBytesMax: 100 },
    allowedExtensions: ['txt'],
  })
  await server.inject(post('/upload', { name: 'file', fileName: 'there.txt', body: 'x' }))
  const file = (fileName: string, body = 'x') => ({ name: 'file', fileName, body })
  const cases: [ReturnType<typeof post> | object, number, string][] = [
    [post('/upload'), 400, 'INVALID_REQUEST'],
    [post('/upload', { name: 'comment', body: 'x' }), 400, 'INVALID_REQUEST'],
    [post('/upload', file('', '')), 400, 'INVALID_REQUEST'],
    [post('/upload', file('', 'x')), 400, 'INVALID_REQUEST'],
    [post('/upload', file('..')), 400, 'INVALID_REQUEST'],
    [
      post('/upload', file('a.txt'), { name: 'file_name', body: Buffer.from('\xe9.txt', 'latin1') }),
      400,
      'INVALID_REQUEST',
    ],
    [post('/upload', file('a.txt'), file('there.txt')), 409, 'FILE_EXISTS'],
    [post('/upload', file('a.txt'), file('b.exe')), 415, 'TYPE_NOT_ALLOWED'],
    [post('/upload', file('a.txt'), file('b.txt', 'x'.repeat(101))), 413, 'FILE_TOO_LARGE'],
    [post('/upload', file('a.txt'), file('a.txt')), 400, 'INVALID_REQUEST'],
    [post('/upload', file('a.txt'), { name: 'other', fileName: 'b.txt', body: 'x' }), 400, 'INVALID_REQUEST'],
    [post('/upload', ...Array.from({ length: 101 }, (_, i) => file(`${i}.txt`))), 400, 'INVALID_REQUEST'],
    [
      post('/upload', ...Array.from({ length: 101 }, () => ({ name: 'x', body: '' }))),
      400,
      'INVALID_REQUEST',
    ],
    [post('/upload', { name: 'x', body: 'x'.repeat(70_000) }), 400, 'INVALID_REQUEST'],
    [post('/upload/a//b', file('a.txt')), 400, 'INVALID_PATH'],
    [post('/upload/%00', file('a.txt')), 400, 'INVALID_PATH'],
    [post('/upload?folder=x', file('a.txt')), 400, 'INVALID_REQUEST'],
    [{ method: 'POST', url: '/upload', payload: 'x' }, 415, 'TYPE_NOT_ALLOWED'],
    [{ method: 'POST', url: '/upload', payload: { file: 'x' } }, 415, 'TYPE_NOT_ALLOWED'],
    [
      { ...post('/upload', file('a.txt')), payload: formOf(file('a.txt')).payload.subarray(0, -10) },
      400,
      'INVALID_REQUEST',
    ],
  ]
  for (const [i, [request, status, code]] of cases.entries()) {
    const answer = await server.inject(request)
    t.equal(answer.statusCode, status, `case ${i}: ${answer.body}`)
    t.equal(codeOf(answer), code, `case ${i}`)
  }
  t.equal(storage.statistics().files, 1)
  t.equal(storage.statistics().staged, 0)
})

t.test('a form can replace, and can be repeated under its key', async t => {
  const { server } = await runServer(t)
  const form = post(
    '/upload',
    { name: 'file', fileName: 'a', body: '1' },
    { name: 'file', fileName: 'b', body: '2' },
  )
  const keyed = { ...form, headers: { ...form.headers, 'idempotency-key': 'form' } }
  const first = await server.inject(keyed)
  t.equal(first.statusCode, 201)
  t.same((await server.inject(keyed)).json(), first.json())
  t.equal((await server.inject(form)).statusCode, 409)
  t.equal((await server.inject({ ...form, url: '/upload?overwrite=true' })).statusCode, 201)
})

t.test('names that become one when they are made safe lose no file', async t => {
  const { server } = await runServer(t)
  const send = (fileName: string, body: string) =>
    server.inject(post('/upload?overwrite=true', { name: 'file', fileName, body }))
  const pairs = [
    ['a:b.txt', 'a?b.txt'],
    ['x\u202ey.txt', 'x\u200ey.txt'],
    ['.profile', '..profile'],
    [`${'n'.repeat(300)}1.txt`, `${'n'.repeat(300)}2.txt`],
  ] as const
  for (const [first, second] of pairs) {
    const stored = await send(first, 'first')
    t.equal(stored.statusCode, 201, first)
    const refused = await send(second, 'second')
    t.equal(codeOf(refused), 'FILE_EXISTS', second)
    t.match(refused.json().error.message, /made safe/)
    t.equal((await server.inject(`/get/${encodeURIComponent(stored.json()[0].path)}`)).body, 'first')
  }
  for (const body of ['one', 'two'])
    t.equal((await send('e\u0301.txt', body)).statusCode, 201, 'another form of Unicode is the same name')
  t.equal((await send('C:\\\\folder\\\\a_b.txt', 'third')).statusCode, 201, 'a name as it is replaces')
  t.equal((await server.inject('/get/a_b.txt')).body, 'third')
})

t.test('a form that is cut off leaves nothing', async t => {
  const { storage, server, port } = await runServer(t, { listen: true })
  const { payload } = formOf({ name: 'file', fileName: 'a', body: 'x'.repeat(300_000) })
  await exchange(port, socket => {
    socket.write(
      `POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=BOUND\r\nContent-Length: ${payload.length}\r\n\r\n`,
    )
    socket.write(payload.subarray(0, 200_000), () => socket.resetAndDestroy())
  }).catch(() => {})
  while (storage.statistics().staged > 0) await new Promise(resolve => setImmediate(resolve))
  t.equal(storage.statistics().files, 0)
  t.equal((await server.inject('/health')).statusCode, 200)
})
