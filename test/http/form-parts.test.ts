import fc from 'fast-check'
import Fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import {
  type FormPart,
  formBoundary,
  formParts as partsOf,
  registerForms,
} from '../../src/http/form-parts.ts'

/** A request of the framework that takes a form; its body is handed in. */
const fastify = Fastify()
fastify.decorateRequest('declaredType', undefined)
let formRequest: FastifyRequest
await registerForms(fastify, scope => {
  scope.addHook('onRequest', async request => {
    request.declaredType = request.headers['content-type']
  })
  scope.post('/', async request => {
    formRequest = request
  })
})
await fastify.inject({
  method: 'POST',
  url: '/',
  headers: { 'content-type': 'multipart/form-data; boundary=B' },
  payload: '--B--\r\n',
})

const formParts = (body: AsyncIterable<Uint8Array>, _boundary: string, stop: () => void) =>
  partsOf(formRequest, body, stop)

interface Seen {
  name: string
  fileName: string | undefined
  text: string
}

/** All parts of a form that comes in pieces of `pieceBytes`. */
async function read(text: string, pieceBytes = text.length || 1): Promise<Seen[]> {
  const bytes = Buffer.from(text)
  async function* body() {
    for (let i = 0; i < bytes.length; i += pieceBytes) yield bytes.subarray(i, i + pieceBytes)
  }
  const seen: Seen[] = []
  for await (const { name, fileName, bytes: part } of formParts(body(), 'B', () => {})) {
    const chunks: Uint8Array[] = []
    for await (const chunk of part) chunks.push(chunk)
    seen.push({ name, fileName, text: Buffer.concat(chunks).toString() })
  }
  return seen
}

const part = (name: string, fileName: string | undefined, text: string) =>
  `--B\r\nContent-Disposition: form-data; name="${name}"${fileName === undefined ? '' : `; filename="${fileName}"`}\r\n\r\n${text}\r\n`

t.test('the boundary of a form', async t => {
  t.equal(formBoundary('multipart/form-data; boundary=abc'), 'abc')
  t.equal(formBoundary('Multipart/Form-Data; charset=x; boundary="a b:c"'), 'a b:c')
  for (const type of [undefined, '', 'text/plain', 'multipart/mixed; boundary=a', 'application/json']) {
    t.throws(() => formBoundary(type), { code: 'TYPE_NOT_ALLOWED' }, type ?? 'none')
  }
  for (const type of [
    'multipart/form-data',
    'multipart/form-data; boundary=',
    `multipart/form-data; boundary=${'a'.repeat(71)}`,
  ]) {
    t.throws(() => formBoundary(type), { code: 'INVALID_REQUEST' }, type)
  }
})

t.test('law: parts come out as they went in, however the bytes are cut', async t => {
  const text = fc.string({
    unit: fc.constantFrom('a', '\r', '\n', '-', '--', '--B', 'B', '\r\n--', 'é', '\0'),
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('file', 'x'), fc.constantFrom('f.txt', 'é', undefined), text), {
        maxLength: 5,
      }),
      fc.integer({ min: 1, max: 50 }),
      async (parts, pieceBytes) => {
        const clean = parts.filter(([, , body]) => !`\r\n${body}\r\n--B`.slice(0, -5).includes('\r\n--B'))
        const form = `${clean.map(([name, fileName, body]) => part(name, fileName, body)).join('')}--B--\r\n`
        const seen = await read(form, pieceBytes)
        t.same(
          seen,
          clean.map(([name, fileName, body]) => ({ name, fileName, text: body })),
        )
      },
    ),
    { numRuns: 300 },
  )
})

t.test('what is before and after the parts means nothing', async t => {
  t.same(await read(`preamble\r\n${part('a', undefined, '1')}--B--\r\nepilogue`), [
    { name: 'a', fileName: undefined, text: '1' },
  ])
  t.same(await read('--B--\r\n'), [])
})

t.test('a form that cannot be understood is refused and no part is skipped', async t => {
  const good = part('a', 'f', '1')
  const forms: [string, string][] = [
    ['empty', ''],
    ['no boundary', 'hello'],
    ['cut in a part', good],
    ['cut in a header', `${good}--B\r\nContent-Disp`],
    ['no header', `${good}--B\r\n\r\n2\r\n--B--\r\n`],
    ['header without end', `--B\r\nContent-Disposition: form-data; name="a"\r\n--B--\r\n`],
    ['no name', `--B\r\nContent-Disposition: form-data\r\n\r\n2\r\n--B--\r\n`],
    ['another disposition', `--B\r\nContent-Disposition: attachment; name="a"\r\n\r\n2\r\n--B--\r\n`],
    ['broken line', `--B\r\nContent-Disposition\r\n\r\n2\r\n--B--\r\n`],
    ['a boundary that only begins like ours', `--Bx\r\n\r\n2\r\n--B--\r\n`],
    [
      'a name that is not UTF-8',
      `--B\r\nContent-Disposition: form-data; name="\u00ff"\r\n\r\n2\r\n--B--\r\n`,
    ],
    [
      'a huge header',
      `--B\r\nX: ${'y'.repeat(20_000)}\r\nContent-Disposition: form-data; name="a"\r\n\r\n2\r\n--B--\r\n`,
    ],
    [
      'many headers',
      `--B\r\n${'X: y\r\n'.repeat(40)}Content-Disposition: form-data; name="a"\r\n\r\n2\r\n--B--\r\n`,
    ],
    ['a huge epilogue', `--B--\r\n${'x'.repeat(2_000_000)}`],
    ['a huge preamble', 'x'.repeat(2_000_000)],
  ]
  for (const [name, form] of forms) {
    const reading = name.includes('UTF-8') ? readLatin1(form) : read(form, 65_536)
    await t.rejects(reading, { code: 'INVALID_REQUEST' }, name)
  }
})

async function readLatin1(text: string): Promise<Seen[]> {
  async function* body() {
    yield Buffer.from(text, 'latin1')
  }
  for await (const { bytes } of formParts(body(), 'B', () => {})) for await (const _ of bytes);
  return []
}

t.test('an error of the body reaches who reads the part', async t => {
  async function* body() {
    yield Buffer.from(part('a', 'f', 'x'.repeat(1000)).slice(0, 500))
    throw new RangeError('cut')
  }
  const parts = formParts(body(), 'B', () => {})
  const { value } = await parts.next()
  await t.rejects(
    (async () => {
      for await (const _ of (value as FormPart).bytes);
    })(),
    RangeError,
  )
  await t.rejects(parts.next(), RangeError)
})

t.test('who stops in the middle of a part stops the body', async t => {
  let stopped = false
  let ended = false
  async function* body() {
    try {
      yield Buffer.from(part('a', 'f', '').slice(0, -2))
      for (let i = 0; i < 1000; i++) yield Buffer.alloc(100_000)
    } finally {
      ended = true
    }
  }
  for await (const { bytes } of formParts(body(), 'B', () => {
    stopped = true
  })) {
    for await (const _ of bytes) break
    break
  }
  t.equal(stopped, true)
  t.equal(ended, true)
})

t.test(
  'a quotation mark in a name is understood when it is escaped, and refused when it stands bare',
  async t => {
    const rows: [string, string][] = [
      ['q\\"uote.txt', 'q"uote.txt'],
      ['q%22uote.txt', 'q"uote.txt'],
      ['C:\\dir\\', 'C:\\dir\\'],
      ['a; b="c', ''],
    ]
    for (const [written, fileName] of rows) {
      const text = `${part('file', written, 'x')}--B--\r\n`
      if (fileName === '') await t.rejects(read(text), { code: 'INVALID_REQUEST' }, written)
      else t.match(await read(text), [{ name: 'file', fileName }], written)
    }
    await t.rejects(read(`${part('file', 'te"st.png', 'x')}--B--\r\n`), { code: 'INVALID_REQUEST' })
  },
)
