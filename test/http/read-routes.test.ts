import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { type FileRecord, INLINE_BYTES_MAX } from '../../src/storage/record.ts'
import type { ByteRange } from '../../src/storage/storage.ts'
import { ADDRESS, codeOf, exchange, runServer } from './running-server.ts'

const bytes = Buffer.from('0123456789')
/** Larger than what lives in a record, so that it is streamed; no block is like another. */
const big = Buffer.alloc(2_500_000, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))

async function withFiles(t: { teardown(then: () => unknown): void }) {
  const running = await runServer(t)
  const put = (path: string, payload: Buffer, type = 'text/plain') =>
    running.server.inject({ method: 'PUT', url: `/put/${path}`, payload, headers: { 'content-type': type } })
  await put('small', bytes)
  await put('big', big)
  await put('empty', Buffer.alloc(0))
  return { ...running, put }
}

t.test('get says all that is known of a file', async t => {
  const { server } = await withFiles(t)
  for (const [path, body] of [
    ['small', bytes],
    ['big', big],
    ['empty', Buffer.alloc(0)],
  ] as const) {
    const get = await server.inject(`/get/${path}`)
    t.equal(get.statusCode, 200)
    t.ok(get.rawPayload.equals(body), path)
    t.match(get.headers, {
      'content-type': 'text/plain',
      'content-length': String(body.length),
      etag: /^"\d+\.\d+-[0-9a-f]{8}"$/,
      'last-modified': / GMT$/,
      'accept-ranges': 'bytes',
      'repr-digest': /^sha-256=:[A-Za-z0-9+/]{43}=:$/,
      'x-content-type-options': 'nosniff',
      'content-security-policy': 'sandbox',
      'cache-control': 'no-cache',
      'ring-chain': ADDRESS,
      'ring-hops': '0',
    })
    const head = await server.inject({ method: 'HEAD', url: `/get/${path}` })
    t.equal(head.statusCode, 200)
    t.equal(head.rawPayload.length, 0)
    const { date: _date, connection: _connection, ...expected } = get.headers
    t.match(head.headers, expected, 'HEAD has the headers of GET')
  }
})

t.test('download is get, to be saved under the name of the file', async t => {
  const { server, put } = await withFiles(t)
  await put(encodeURIComponent('folder/na"me – ü.txt'), bytes)
  const answer = await server.inject(`/download/folder/${encodeURIComponent('na"me – ü.txt')}`)
  t.equal(answer.body, bytes.toString())
  t.match(answer.headers['content-disposition'], /^attachment; /)
  t.match(answer.headers['content-disposition'], /filename\*=UTF-8''na%22me%20%E2%80%93%20%C3%BC\.txt/)
  t.equal((await server.inject({ url: '/download/small', headers: { range: 'bytes=1-2' } })).body, '12')
})

t.test('one range', async t => {
  const { server } = await withFiles(t)
  const cases: [string, string, Buffer, string][] = [
    ['small', 'bytes=0-0', bytes.subarray(0, 1), 'bytes 0-0/10'],
    ['small', 'bytes=-3', bytes.subarray(7), 'bytes 7-9/10'],
    ['small', 'bytes=5-', bytes.subarray(5), 'bytes 5-9/10'],
    ['big', 'bytes=1048570-1048585', big.subarray(1048570, 1048586), 'bytes 1048570-1048585/2500000'],
    ['big', 'bytes=-1', big.subarray(-1), 'bytes 2499999-2499999/2500000'],
  ]
  for (const [path, range, body, contentRange] of cases) {
    const get = await server.inject({ url: `/get/${path}`, headers: { range } })
    t.equal(get.statusCode, 206, range)
    t.equal(get.headers['content-range'], contentRange)
    t.equal(get.headers['content-length'], String(body.length))
    t.ok(get.rawPayload.equals(body), range)
  }
  const head = await server.inject({ method: 'HEAD', url: '/get/small', headers: { range: 'bytes=0-0' } })
  t.equal(head.statusCode, 200, 'a range is for GET only')
  t.equal((await server.inject({ url: '/get/small', headers: { range: 'lines=1-2' } })).statusCode, 200)
})

t.test('several ranges come as parts', async t => {
  const { server } = await withFiles(t)
  for (const [path, body, ranges] of [
    [
      'small',
      bytes,
      [
        [0, 1],
        [4, 5],
      ],
    ],
    [
      'big',
      big,
      [
        [2_000_000, 2_100_000],
        [0, 1_500_000],
      ],
    ],
  ] as const) {
    const range = `bytes=${ranges.map(([a, b]) => `${a}-${b}`)}`
    const get = await server.inject({ url: `/get/${path}`, headers: { range } })
    t.equal(get.statusCode, 206)
    const boundary = /^multipart\/byteranges; boundary=([0-9a-f]{32})$/.exec(
      String(get.headers['content-type']),
    )?.[1]
    const expected = ranges.map(
      ([a, b]) =>
        `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes ${a}-${b}/${body.length}\r\n\r\n` +
        body.subarray(a, b + 1).toString('latin1'),
    )
    t.ok(get.rawPayload.toString('latin1') === `${expected.join('')}\r\n--${boundary}--\r\n`, path)
    t.equal(get.headers['content-length'], String(get.rawPayload.length))
  }
})

t.test('a range that cannot be had is a 416 that says how long the file is', async t => {
  const { server } = await withFiles(t)
  for (const range of ['bytes=10-', 'bytes=x', 'bytes=5-2', 'bytes=-0']) {
    const get = await server.inject({ url: '/get/small', headers: { range } })
    t.equal(get.statusCode, 416, range)
    t.equal(get.headers['content-range'], 'bytes */10')
    t.equal(get.headers.etag, undefined)
    t.equal(codeOf(get), 'RANGE_NOT_SATISFIABLE')
  }
  t.equal((await server.inject({ url: '/get/empty', headers: { range: 'bytes=0-' } })).statusCode, 200)
})

t.test('conditions', async t => {
  const { server } = await withFiles(t)
  const { headers } = await server.inject('/get/small')
  const etag = String(headers.etag)
  const modified = String(headers['last-modified'])
  const cases: [Record<string, string>, number][] = [
    [{ 'if-none-match': etag }, 304],
    [{ 'if-none-match': '"x"' }, 200],
    [{ 'if-modified-since': modified }, 304],
    [{ 'if-match': '"x"' }, 412],
    [{ 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 412],
    [{ 'if-range': etag, range: 'bytes=0-0' }, 206],
    [{ 'if-range': '"x"', range: 'bytes=0-0' }, 200],
    [{ 'if-range': '"x"', range: 'bytes=99-' }, 200],
    [{ 'if-range': modified, range: 'bytes=0-0' }, 200],
    [{ 'if-none-match': etag, range: 'bytes=99-' }, 304],
    [{ 'if-none-match': 'nonsense' }, 400],
  ]
  for (const [headers, status] of cases) {
    const get = await server.inject({ url: '/get/small', headers })
    t.equal(get.statusCode, status, JSON.stringify(headers))
    if (status !== 304) continue
    t.equal(get.headers.etag, etag)
    t.equal(get.rawPayload.length, 0)
    t.equal(get.headers['content-type'], undefined)
  }
  const missing = await server.inject({ url: '/get/missing', headers: { 'if-match': '*' } })
  t.equal(missing.statusCode, 404, 'conditions do not matter where there is nothing')
  t.equal(missing.headers['ring-chain'], ADDRESS)
})

t.test('exists', async t => {
  const { server } = await withFiles(t)
  t.equal((await server.inject('/exists/small')).json(), true)
  t.equal((await server.inject('/exists/missing')).json(), false)
  t.equal((await server.inject('/exists/missing')).statusCode, 200)
  t.equal((await server.inject({ method: 'HEAD', url: '/exists/small' })).statusCode, 200)
  t.equal((await server.inject({ method: 'HEAD', url: '/exists/missing' })).statusCode, 404)
})

/** Storage whose third block is rotten, or whose every block is. */
class RottenStorage extends MemoryStorage {
  fromBlock = 2
  override async read(record: FileRecord, range?: ByteRange) {
    const whole = (await super.read(record)) as Uint8Array | Readable
    const rotten = new StoreError('CORRUPT', 'A block fails its checksum.', { path: record.path })
    if (this.fromBlock === 0) throw rotten
    if (whole instanceof Uint8Array) return whole
    const { fromBlock } = this
    const chunks = (async function* () {
      let sent = 0
      for await (const chunk of whole as AsyncIterable<Buffer>) {
        sent += chunk.length
        if (sent > fromBlock * 1024 * 1024) throw rotten
        yield chunk.subarray(range?.first === 0 ? 0 : 0)
      }
    })()
    return Readable.from(chunks, { objectMode: false })
  }
}

t.test('rotten bytes: a 502 while nothing is sent, and later never an end that looks complete', async t => {
  const env = realEnv()
  const storage = new RottenStorage({ env })
  const { server, port } = await runServer(t, { env, storage, listen: true })
  await server.inject({ method: 'PUT', url: '/put/big', payload: big })

  storage.fromBlock = 0
  const refused = await server.inject('/get/big')
  t.equal(refused.statusCode, 502)
  t.equal(codeOf(refused), 'CORRUPT')
  t.equal(refused.headers.etag, undefined, 'the 502 does not carry the headers of the file')
  const several = await server.inject({ url: '/get/big', headers: { range: 'bytes=0-0,5-5' } })
  t.equal(several.statusCode, 502)

  storage.fromBlock = 2
  const cut = await exchange(port, 'GET /get/big HTTP/1.1\r\nHost: localhost\r\n\r\n')
  t.match(cut, /^HTTP\/1\.1 200 OK/)
  const body = cut.slice(cut.indexOf('\r\n\r\n') + 4)
  t.ok(body.length < big.length, `${body.length} bytes came`)
  t.ok(big.toString('latin1').startsWith(body), 'and they are the right ones')
  const parts = await exchange(
    port,
    'GET /get/big HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-2099999,2200000-2499999\r\n\r\n',
  )
  t.match(parts, /^HTTP\/1\.1 206/)
  t.notMatch(parts.slice(-50), /--\r\n$/, 'no closing boundary')
  t.equal((await server.inject('/health')).statusCode, 200)
})

t.test('a version that is replaced under a reader is found again', async t => {
  const env = realEnv()
  let failures = 1
  class Replacing extends MemoryStorage {
    override async read(record: FileRecord, range?: ByteRange) {
      if (failures-- > 0) throw new StoreError('FILE_NOT_FOUND', 'replaced')
      return super.read(record, range)
    }
  }
  const { server } = await runServer(t, { env, storage: new Replacing({ env }) })
  // What lies in its record is read with it.
  const payload = 'x'.repeat(INLINE_BYTES_MAX + 1)
  await server.inject({ method: 'PUT', url: '/put/a', payload })
  t.equal((await server.inject('/get/a')).body, payload)
  failures = 100
  t.equal(
    (await server.inject('/get/a')).statusCode,
    503,
    'but not for ever, and it is not said to be missing',
  )
})

t.test('a file that is asked for again is told as it is now', async t => {
  const { server } = await runServer(t)
  const put = (payload: string) =>
    server.inject({
      method: 'PUT',
      url: '/put/a?overwrite=true',
      payload,
      headers: { 'content-type': 'text/plain' },
    })
  const seen = new Set<unknown>()
  for (const bytes of ['one', 'two', 'one', '']) {
    await put(bytes)
    for (let times = 0; times < 3; times++) {
      const { body, headers, statusCode } = await server.inject('/get/a')
      t.match({ body, statusCode }, { body: bytes, statusCode: 200 })
      const sha256 = createHash('sha256').update(bytes).digest('base64')
      const length = String(bytes.length)
      t.match(headers, {
        'content-length': length,
        'repr-digest': `sha-256=:${sha256}:`,
        'content-type': 'text/plain',
      })
      t.equal(new Date(headers['last-modified'] as string).toUTCString(), headers['last-modified'])
      seen.add(headers.etag)
      const again = await server.inject({
        url: '/get/a',
        headers: { 'if-none-match': headers.etag as string },
      })
      t.match({ statusCode: again.statusCode, body: again.body }, { statusCode: 304, body: '' })
      const changed = await server.inject({ url: '/get/a', headers: { 'if-match': '"0.0-0"' } })
      t.equal(changed.statusCode, 412)
    }
  }
  t.equal(seen.size, 4, 'each version has a name of its own')
  const { version } = (await put('last')).json()
  const moved = await server.inject({ method: 'POST', url: '/move/a/b' })
  t.not(moved.json().version.seq, version.seq)
  t.equal((await server.inject('/get/b')).headers.etag, moved.headers.etag)
  t.equal((await server.inject('/get/a')).statusCode, 404)
  t.equal((await server.inject('/download/b')).headers['content-disposition'], 'attachment; filename=b')
})
