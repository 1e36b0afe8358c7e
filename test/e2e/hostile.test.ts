import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { type RawReply, sendRaw } from './client.ts'
import { waitFor } from './harness.ts'
import { openNode } from './test-node.ts'

/** Requests that are refused with a reply: name, bytes, the statuses that are right. */
const refusals: [string, (string | Uint8Array)[], number[]][] = [
  ...[
    ['two dots', '../etc/passwd'],
    ['two dots within', 'a/../../etc/passwd'],
    ['two dots encoded', '%2e%2e/etc/passwd'],
    ['dots and slash encoded', '%2e%2e%2fetc%2fpasswd'],
    ['upper-case encoding', '%2E%2E%2Fetc'],
    ['two dots at the end', 'a/..'],
    ['one dot', 'a/./b'],
    ['overlong slash', '..%c0%afetc'],
    ['overlong dots', '%c0%ae%c0%ae/x'],
    ['overlong in three bytes', '%e0%80%af'],
    ['a surrogate', '%ed%a0%80'],
    ['beyond Unicode', '%f4%90%80%80'],
    ['half a character', 'a%e2%82'],
    ['a lone byte', '%ff'],
    ['NUL', 'a%00.txt'],
    ['a line break', 'a%0d%0aX-Evil:%201'],
    ['delete', 'a%7f'],
    ['C1 control', 'a%c2%85'],
    ['an empty segment', 'a//b'],
    ['an empty last segment', 'a/'],
    ['nothing', ''],
    ['malformed percent', 'a%zz'],
    ['truncated percent', 'a%2'],
    ['1,025 bytes', 'a'.repeat(1025)],
    ['1,026 bytes of two-byte letters', '%c3%a9'.repeat(513)],
  ].map(([name, path]): [string, string[], number[]] => [`path: ${name}`, [put(path ?? '')], [400, 404]]),
  [
    'raw control byte in the target',
    ['PUT /put/a\u0001b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\nx'],
    [400],
  ],
  [
    'raw UTF-8 that is none',
    [Buffer.from('PUT /put/\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\nx', 'latin1')],
    [400],
  ],
  ['10 MB of headers', ['PUT /put/h HTTP/1.1\r\nHost: 127.0.0.1\r\n', ...manyHeaders(10_000_000)], [431]],
  ['a target of 1 MB', [put('a'.repeat(1_000_000))], [400, 414, 431]],
  ['no HTTP at all', ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n'], [400]],
  [
    'a length that is no number',
    ['PUT /put/l HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: many\r\n\r\nx'],
    [400],
  ],
  ['a negative length', ['PUT /put/l HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\nx'], [400]],
  [
    'two lengths',
    ['PUT /put/l HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx'],
    [400],
  ],
  [
    'a length and chunks',
    [
      'PUT /put/l HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [400],
  ],
  [
    'a chunk size that is none',
    ['PUT /put/c HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n'],
    [400],
  ],
  [
    'a length beyond every limit',
    ['PUT /put/l HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999\r\n\r\n'],
    [413],
  ],
  [
    'a range upside down',
    ['GET /get/there HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=9-1\r\n\r\n'],
    [200, 400, 416],
  ],
  [
    'a range beyond the end',
    ['GET /get/there HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=99999-\r\n\r\n'],
    [416],
  ],
  [
    'a copy from nowhere above',
    ['POST /copy/..%2Fx/y HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n'],
    [400],
  ],
  [
    'a move to above',
    ['POST /move/there/..%2Fx HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n'],
    [400],
  ],
  ['a limit that is none', ['GET /list?limit=-5 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'], [400]],
  ['a method nobody knows', ['BREW /put/pot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'], [400, 404, 405]],
  ['multipart without a boundary', [upload('multipart/form-data', 'x')], [400, 415]],
  ['multipart that is none', [upload('multipart/form-data; boundary=b', 'no parts here')], [400]],
  [
    'multipart that ends in a header',
    [upload('multipart/form-data; boundary=b', '--b\r\nContent-Disp')],
    [400],
  ],
  [
    'multipart without its last boundary',
    [upload('multipart/form-data; boundary=b', `--b\r\n${fileHeader('cut.txt')}some bytes`)],
    [400],
  ],
  ['a form that is no multipart', [upload('text/plain', 'hello')], [400, 415]],
]

t.test('every hostile request gets a clear refusal, and nothing is stored', async t => {
  const { node, client, dataDirectory } = await openNode(t)
  await client.put('there', 'a file that stays')
  for (const [name, parts, statuses] of refusals) {
    const reply = await sendRaw(node.port, parts)
    // A node that refuses a body it has not read may reset the connection before its reply is read.
    t.ok(statuses.includes(reply.status) || (reply.status === 0 && reply.closed), `${name}: ${shown(reply)}`)
    if (reply.status >= 400) t.match(reply.text, /"code":"[A-Z_]+"/, `${name}: the refusal has a code`)
  }
  await expectOnlyThere(t, node.port, dataDirectory)
})

t.test('connections that are cut leave nothing behind', async t => {
  const { node, client, dataDirectory } = await openNode(t)
  await client.put('there', 'a file that stays')
  const half = randomBytes(300_000)
  const chunk = Buffer.concat([Buffer.from(`${half.length.toString(16)}\r\n`), half, Buffer.from('\r\n')])
  const cuts: [string, (string | Uint8Array)[]][] = [
    ['before the body', ['PUT /put/cut HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n']],
    [
      'within the body',
      ['PUT /put/cut HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n', half],
    ],
    [
      'between chunks',
      ['PUT /put/cut HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n', chunk],
    ],
    [
      'before the last chunk',
      ['PUT /put/cut HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n', chunk, '0\r\n'],
    ],
    ['within the header', ['PUT /put/cut HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le']],
    [
      'within a form',
      [upload('multipart/form-data; boundary=b', `--b\r\n${fileHeader('cut.bin')}`, 1e6), half],
    ],
    ['with a small body', ['PUT /put/cut HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n12345']],
  ]
  for (const after of ['cut', 'end'] as const) {
    for (const [name, parts] of cuts) {
      const reply = await sendRaw(node.port, parts, { after })
      t.notOk(reply.status >= 200 && reply.status < 300, `${name} (${after}): ${shown(reply)}`)
    }
  }
  await expectOnlyThere(t, node.port, dataDirectory)
})

t.test('a body with a type that nobody knows is a file like every other', async t => {
  const { client } = await openNode(t)
  const bytes = randomBytes(5000)
  for (const [i, type] of [
    'application/x-nobody',
    'a/b; c=d',
    'application/json',
    'multipart/mixed',
  ].entries()) {
    t.equal((await client.put(`typed ${i}`, bytes, { headers: { 'content-type': type } })).status, 201, type)
    const reply = await client.send('GET', `/get/typed%20${i}`)
    t.equal(reply.headers['content-type'], type)
    t.ok(reply.body.equals(bytes))
  }
})

t.test('a form within a form is one file with those bytes', async t => {
  const { node, client } = await openNode(t)
  const inner = `--inner\r\n${fileHeader('inner.txt')}deep\r\n--inner--\r\n`
  const body = `--outer\r\n${fileHeader('outer.txt')}${inner}\r\n--outer--\r\n`
  const reply = await sendRaw(node.port, [upload('multipart/form-data; boundary=outer', body)])
  t.equal(reply.status, 201, shown(reply))
  t.same(
    (await client.list()).map(file => file.path),
    ['outer.txt'],
  )
  t.equal((await client.send('GET', '/get/outer.txt')).body.toString(), inner)
})

t.test('noise never harms the node', async t => {
  const { node, client, dataDirectory } = await openNode(t)
  await client.put('there', 'a file that stays')
  const line = fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'put', '')
  const noise = fc.tuple(
    line,
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.uint8Array({ maxLength: 200 }),
  )
  await fc.assert(
    fc.asyncProperty(noise, async ([method, target, bytes]) => {
      const reply = await sendRaw(
        node.port,
        [Buffer.from(`${method} /put/../${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n`), bytes, '\r\n\r\n'],
        { after: 'end' },
      )
      return reply.status === 0 || (reply.status >= 400 && reply.status < 500)
    }),
    { numRuns: 100 },
  )
  await expectOnlyThere(t, node.port, dataDirectory)
})

async function expectOnlyThere(t: Test, port: number, dataDirectory: string): Promise<void> {
  const list = await sendRaw(port, ['GET /list HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'])
  t.equal(list.status, 200, 'the node lives')
  t.match(list.text, /"path":"there"/)
  t.equal(list.text.match(/"path":/g)?.length, 1, 'nothing else is stored')
  await waitFor(async () => (await readdir(join(dataDirectory, 'staging'))).length === 0, {
    what: 'staging is empty',
  })
}

function put(path: string): string {
  return `PUT /put/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\nevil`
}

function* manyHeaders(bytes: number): Iterable<string> {
  const line = `X-Header: ${'v'.repeat(1000)}\r\n`
  for (let at = 0; at < bytes; at += line.length) yield line
  yield 'Content-Length: 1\r\n\r\nx'
}

function upload(type: string, body: string, length: number = Buffer.byteLength(body)): string {
  return `POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n${body}`
}

function fileHeader(name: string): string {
  return `Content-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: text/plain\r\n\r\n`
}

function shown(reply: RawReply): string {
  return JSON.stringify({ status: reply.status, closed: reply.closed, text: reply.text.slice(-200) })
}
