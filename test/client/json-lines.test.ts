import fc from 'fast-check'
import t from 'tap'
import { linesOf } from '../../src/client/json-lines.ts'

async function read(chunks: Iterable<Uint8Array>): Promise<unknown[]> {
  const values: unknown[] = []
  const body = async function* () {
    yield* chunks
  }
  for await (const value of linesOf(body())) values.push(value)
  return values
}

t.test('lines come out whole, however the bytes were cut', async t => {
  const law = fc.asyncProperty(
    fc.array(fc.jsonValue(), { maxLength: 8 }),
    fc.integer({ min: 1, max: 7 }),
    async (values, size) => {
      const bytes = Buffer.from(values.map(value => `${JSON.stringify(value)}\n`).join(''))
      const chunks = []
      for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.subarray(i, i + size))
      return JSON.stringify(await read(chunks)) === JSON.stringify(values)
    },
  )
  await fc.assert(law)
  t.same(
    await read([Buffer.from('{"a":"😀"}\n\n1')]),
    [{ a: '😀' }, 1],
    'empty lines are none, the last needs no end',
  )
})

t.test('a line that is no JSON, or that never ends, is an error', async t => {
  await t.rejects(read([Buffer.from('{"path":"a"}\n{"pa')]), { code: 'INVALID_REQUEST', message: /no JSON/ })
  await t.rejects(read([Buffer.alloc(70_000, 'a')]), { code: 'INVALID_REQUEST', message: /endless/ })
})
