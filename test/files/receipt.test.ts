import t from 'tap'
import { fileLeftBy, receiptOf } from '../../src/files/receipt.ts'
import type { Address } from '../../src/ring/identifier.ts'
import type { PathName } from '../../src/ring/path-name.ts'
import type { FileRecord } from '../../src/storage/record.ts'

const here = ['a:1'] as unknown as Address[]
const path = 'p'.repeat(1024) as PathName
const record: FileRecord = {
  path,
  version: { epoch: 3, seq: 7 },
  body: { size: 2, sha256: 'ab'.repeat(32), blockChecksums: [1], content: { inline: new Uint8Array(2) } },
  meta: { mediaType: 'text/plain' },
  writtenAtMs: 5,
}

t.test('a receipt says what was written and how it is kept', async t => {
  const written = { record, replaced: false, replicas: here, chain: here }
  t.same(receiptOf(written, { consistency: 'chain', durable: true }), {
    path,
    size: 2,
    etag: '"3.7-abababab"',
    version: { epoch: 3, seq: 7 },
    sha256: 'ab'.repeat(32),
    consistency: 'chain',
    durable: true,
    replicas: ['a:1'],
    chain: ['a:1'],
  })
})

t.test('a removal leaves no file to say anything of', async t => {
  t.throws(
    () => fileLeftBy({ record: undefined, replaced: true, replicas: here, chain: here }),
    /left a file/,
  )
})
