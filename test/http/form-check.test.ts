import t from 'tap'
import { checkedForm } from '../../src/http/form-check.ts'

/** What the check makes of a form that comes byte by byte. */
async function check(text: string) {
  const bytes = Buffer.from(text, 'latin1')
  async function* body() {
    for (let i = 0; i < bytes.length; i++) yield bytes.subarray(i, i + 1)
  }
  const checked = checkedForm(body(), 'B')
  const through: Uint8Array[] = []
  try {
    for await (const chunk of checked.bytes) through.push(chunk)
    return { text: Buffer.concat(through).toString('latin1'), headers: checked.headers }
  } catch (error) {
    return { error: (error as Error).message, through: Buffer.concat(through).length }
  }
}

const named = 'Content-Disposition: form-data; name="a"'

t.test('a good form goes through as it came, with what its parts say of themselves', async t => {
  const form = `pre\r\n--B\r\n${named}; filename="C:\\dir\\"\r\ncontent-TYPE: text/plain\r\n\r\n\r\n--Bx \r\n--B\r\n${named}\r\n\r\n\r\n--B--`
  const malformed = await check(form)
  t.match(
    malformed,
    { error: 'A boundary in the form is malformed.' },
    'a line that begins like the boundary',
  )
  const good = form.replace('--Bx ', '-- Bx')
  t.same(await check(good), {
    text: good,
    headers: [
      { name: 'a', fileName: 'C:\\dir\\', mediaType: 'text/plain' },
      { name: 'a', fileName: undefined, mediaType: undefined },
    ],
  })
})

t.test('each fault has its own sentence, and nothing after it goes through', async t => {
  const rows: [header: string, sentence: RegExp][] = [
    ['', /has no header/],
    ['Content-Disposition', /A line in the header of a part is malformed/],
    ['Content-Type: text/plain', /has no Content-Disposition/],
    ['Content-Disposition: attachment; name="a"', /has no name/],
    ['Content-Disposition: form-data', /has no name/],
    ['Content-Disposition: form-data; name="a"b"', /A Content-Disposition in the form is malformed/],
    ['Content-Disposition: form-data; name="\xff"', /not UTF-8/],
    [`${'X: y\r\n'.repeat(32)}${named}`, /too many header fields/],
    [`X: ${'y'.repeat(8192)}\r\n${named}`, /header that is too long/],
  ]
  for (const [header, sentence] of rows) {
    const { error, through } = await check(`--B\r\n${header}\r\n\r\nsecret\r\n--B--\r\n`)
    t.match(error, sentence, header.slice(0, 60))
    t.ok((through as number) < 8300 && (through as number) <= header.length + 8, 'what follows stays out')
  }
  t.match(await check(`--B\r\n${named}\r\n\r\n1`), { error: /ends before its closing boundary/ })
})
