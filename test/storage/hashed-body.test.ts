import { Readable } from 'node:stream'
import t from 'tap'
import { parsePathName } from '../../src/ring/path-name.ts'
import { hashedBody } from '../../src/storage/hashed-body.ts'
import type { FileRecord } from '../../src/storage/record.ts'
import { sha256Of } from './conformance.ts'

const record = (sha256: string) => ({ path: parsePathName('a'), body: { sha256 } }) as FileRecord

t.test('all bytes are counted, and only the right ones pass', async t => {
  const bytes = Buffer.from('hello')
  for (const body of [bytes, Readable.from([bytes.subarray(0, 2), bytes.subarray(2)])]) {
    let count = 0
    for await (const passed of hashedBody({ read: async () => body }, record(sha256Of(bytes))))
      count += passed
    t.equal(count, 5)
  }
  const wrong = hashedBody({ read: async () => bytes }, record('ab'.repeat(32)))
  t.equal((await wrong.next()).value, 5)
  await t.rejects(wrong.next(), { code: 'CORRUPT', path: 'a' })
})
