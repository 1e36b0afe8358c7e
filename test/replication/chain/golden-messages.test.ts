/**
 * The bytes of messages on the wire, of each kind one, as nodes that run say them: testdata/wire/messages.ndjson is only added to. What
 * changes a line breaks networks that are upgraded node by node, unless it is a kind or a field of a newer version (decision 0082).
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { decode, encode } from '../../../src/peer/wire.ts'
import { isMessage, MESSAGE_KINDS } from '../../../src/replication/chain/messages.ts'

interface Golden {
  readonly message: { readonly kind: string }
  readonly bytes: string
}

const lines = readFileSync(new URL('../../../testdata/wire/messages.ndjson', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
const golden = lines.map(line => JSON.parse(line) as Golden)

t.test('what nodes of versions 3 to 5 say is read, and said with the same bytes', async t => {
  for (const { message, bytes } of golden) {
    const read = decode(Buffer.from(bytes, 'hex'))
    t.strictSame(JSON.parse(JSON.stringify(read)), message, message.kind)
    t.ok(isMessage(read), message.kind)
    t.equal(encode(read).toString('hex'), bytes, message.kind)
  }
})

t.test('each kind has its bytes', async t => {
  t.same([...new Set(golden.map(({ message }) => message.kind))].sort(), [...MESSAGE_KINDS].sort())
})
