import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { type ChunkedInit, decodedChunks } from '../../src/s3/aws-chunked.ts'
import {
  type ChunkSigning,
  chunkSignature,
  EMPTY_SHA256,
  signingKey,
  trailerSignature,
} from '../../src/s3/sigv4.ts'

const scope = { date: '20260130', region: 'us-east-1', service: 's3' }
const signing: ChunkSigning = {
  key: signingKey('secret', scope),
  timestamp: '20260130T000000Z',
  scope,
  seedSignature: '0'.repeat(64),
}

/** A body as a client sends it. */
function encoded(
  chunks: readonly Buffer[],
  options: { signed?: boolean; trailer?: string; crlf?: string } = {},
): Buffer {
  const { signed = true, trailer, crlf = '\r\n' } = options
  let previous = signing.seedSignature
  const head = (bytes: Buffer) => {
    previous = chunkSignature(signing, previous, createHash('sha256').update(bytes).digest('hex'))
    return `${bytes.length.toString(16)}${signed ? `;chunk-signature=${previous}` : ''}${crlf}`
  }
  const parts: (Buffer | string)[] = []
  for (const chunk of chunks) parts.push(head(chunk), chunk, crlf)
  parts.push(head(Buffer.alloc(0)))
  if (trailer !== undefined) {
    parts.push(`${trailer}${crlf}`)
    if (signed)
      parts.push(`x-amz-trailer-signature:${trailerSignature(signing, previous, `${trailer}\n`)}${crlf}`)
  }
  parts.push(crlf)
  return Buffer.concat(parts.map(part => Buffer.from(part as string)))
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function decode(
  bytes: Buffer,
  init: Partial<ChunkedInit> & { size?: number },
): Promise<{ readonly body: Buffer; readonly trailer: ReadonlyMap<string, string> | undefined }> {
  let trailer: ReadonlyMap<string, string> | undefined
  const pieces: Uint8Array[] = []
  const decoded = decodedChunks(inPieces(bytes, init.size ?? 7), {
    signing,
    trailer: false,
    decodedBytes: 0,
    onTrailer: fields => {
      trailer = fields
    },
    ...init,
  })
  for await (const piece of decoded) pieces.push(piece)
  return { body: Buffer.concat(pieces), trailer }
}

t.test('what was sent in chunks comes back whole, however it arrives', async t => {
  const chunk = fc.uint8Array({ minLength: 1, maxLength: 300 }).map(bytes => Buffer.from(bytes))
  await fc.assert(
    fc.asyncProperty(
      fc.array(chunk, { maxLength: 5 }),
      fc.integer({ min: 1, max: 400 }),
      fc.boolean(),
      async (chunks, size, signed) => {
        const whole = Buffer.concat(chunks)
        const trailer = 'x-amz-checksum-crc32:AAAAAA=='
        const init = {
          decodedBytes: whole.length,
          size,
          trailer: true,
          signing: signed ? signing : undefined,
        }
        const decoded = await decode(encoded(chunks, { signed, trailer }), init)
        t.same(decoded.trailer?.get('x-amz-checksum-crc32'), 'AAAAAA==')
        return decoded.body.equals(whole)
      },
    ),
  )
})

t.test('a body without a trailer', async t => {
  const { body, trailer } = await decode(encoded([Buffer.from('hello')]), { decodedBytes: 5 })
  t.equal(body.toString(), 'hello')
  t.equal(trailer?.size, 0)
})

t.test('line feeds alone, and a missing last line end, are understood', async t => {
  const bytes = encoded([Buffer.from('hello')], { crlf: '\n' })
  t.equal((await decode(bytes, { decodedBytes: 5 })).body.toString(), 'hello')
  t.equal((await decode(bytes.subarray(0, -1), { decodedBytes: 5 })).body.toString(), 'hello')
})

t.test('every altered byte of a signed body is found', async t => {
  const bytes = encoded([Buffer.from('hello'), Buffer.from('world')], {
    trailer: 'x-amz-checksum-crc32:AAAAAA==',
  })
  const kept: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const altered = Buffer.from(bytes)
    altered[at] = (altered[at] as number) ^ 1
    await decode(altered, { decodedBytes: 10, trailer: true }).then(
      ({ body, trailer }) => {
        t.equal(body.toString(), 'helloworld')
        t.equal(trailer?.get('x-amz-checksum-crc32'), 'AAAAAA==')
        kept.push(at)
      },
      error => t.match(error.code, /^(SignatureDoesNotMatch|InvalidRequest|IncompleteBody)$/),
    )
  }
  // A carriage return can be anything that ends a line as well: nothing but the form of the transfer is touched.
  t.ok(
    kept.every(
      at =>
        bytes[at] === 0x0d || bytes[at] === 0x0a || /[a-z]/i.test(String.fromCharCode(bytes[at] as number)),
    ),
    `${kept}`,
  )
})

t.test('bodies that are cut off or lie are refused', async t => {
  const good = encoded([Buffer.from('hello')])
  const rows: [string, Buffer, Partial<ChunkedInit>, string][] = [
    ['cut in a chunk', good.subarray(0, 90), { decodedBytes: 5 }, 'IncompleteBody'],
    ['cut before the last chunk', good.subarray(0, good.length - 88), { decodedBytes: 5 }, 'IncompleteBody'],
    ['nothing at all', Buffer.alloc(0), { decodedBytes: 5 }, 'IncompleteBody'],
    ['longer than announced', good, { decodedBytes: 4 }, 'IncompleteBody'],
    ['shorter than announced', good, { decodedBytes: 6 }, 'IncompleteBody'],
    [
      'unsigned where signed',
      encoded([Buffer.from('hello')], { signed: false }),
      { decodedBytes: 5 },
      'InvalidRequest',
    ],
    ['no size', Buffer.from('x\r\n'), { signing: undefined }, 'InvalidRequest'],
    ['a line without end', Buffer.alloc(3000, 'a'), { signing: undefined }, 'InvalidRequest'],
    ['more behind the end', Buffer.concat([good, Buffer.from('x')]), { decodedBytes: 5 }, 'InvalidRequest'],
    [
      'a trailer that nobody announced',
      encoded([], { signed: false, trailer: 'x-amz-checksum-crc32:AAAAAA==' }),
      { signing: undefined },
      'InvalidRequest',
    ],
    ['a signed trailer that is missing', good, { decodedBytes: 5, trailer: true }, 'SignatureDoesNotMatch'],
    [
      'a chunk that is longer than its size',
      Buffer.from('1\r\nab\r\n0\r\n\r\n'),
      { signing: undefined, decodedBytes: 1 },
      'InvalidRequest',
    ],
    [
      'a trailer of many fields',
      Buffer.from(
        `0\r\n${'a:b\r\nc:d\r\n'.repeat(1)}${Array.from({ length: 20 }, (_, i) => `f${i}:x\r\n`).join('')}\r\n`,
      ),
      { signing: undefined, trailer: true },
      'InvalidRequest',
    ],
  ]
  for (const [what, bytes, init, code] of rows) await t.rejects(decode(bytes, init), { code: code }, what)
})

t.test('the reader sets the pace, and a body that is not read to its end is told so', async t => {
  let taken = 0
  let ended = false
  async function* source(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        taken++
        yield Buffer.from(`1\r\na\r\n`)
      }
    } finally {
      ended = true
    }
  }
  const decoded = decodedChunks(source(), {
    signing: undefined,
    trailer: false,
    decodedBytes: 1000,
    onTrailer: () => t.fail('no end was reached'),
  })
  for await (const piece of decoded) {
    t.equal(Buffer.from(piece).toString(), 'a')
    if (taken >= 3) break
  }
  t.equal(taken, 3)
  t.ok(ended)
})

t.test('an empty body has a signature, too', async t => {
  t.equal(chunkSignature(signing, signing.seedSignature, EMPTY_SHA256).length, 64)
  t.equal((await decode(encoded([]), { decodedBytes: 0 })).body.length, 0)
})
