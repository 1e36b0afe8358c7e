import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import t from 'tap'
import type { ChainRecord, RequestId } from '../../../src/replication/chain/chain-record.ts'
import { absentRecord, applyOperation } from '../../../src/replication/chain/chain-record.ts'
import { RecordCache } from '../../../src/replication/chain/record-cache.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { path } from './bench.ts'

const KIB = 1024

t.test('what was looked up last is at hand', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  const found = cache.find(path('a'), () => recordOf('a', 1, 100))
  t.match(found, { path: 'a', version: { seq: 1 } })
  t.equal(cache.find(path('a'), neverLoad), found)
  t.equal(cache.peek(path('a'))?.record, found)
})

t.test('a record that is looked up again is kept', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  cache.find(path('a'), () => recordOf('a', 1, 100))
  cache.find(path('b'), () => recordOf('b', 1, 100))
  const found = cache.find(path('a'), () => recordOf('a', 1, 100))
  cache.find(path('b'), () => recordOf('b', 1, 100))
  t.equal(cache.find(path('a'), neverLoad), found)
})

t.test('so is that nothing is there', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  for (const name of ['a', 'b', 'a', 'b']) cache.find(path(name), () => undefined)
  t.equal(cache.find(path('a'), neverLoad), undefined)
  cache.forget(path('a'))
  t.match(
    cache.find(path('a'), () => recordOf('a', 1, 1)),
    { version: { seq: 1 } },
  )
})

t.test('bytes that are kept do not hold on to memory that they share', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  const shared = Buffer.alloc(8 * KIB, 'x')
  const load = () => withBytes(recordOf('a', 1, 0), shared.subarray(100, 200))
  cache.find(path('a'), load)
  cache.find(path('b'), () => undefined)
  const content = cache.find(path('a'), load)?.body?.content as { inline: Buffer }
  t.same(content.inline, Buffer.alloc(100, 'x'))
  t.equal(content.inline.buffer.byteLength, 100)
})

t.test('what was asked for lately stays, what was not goes, and the limit holds', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  const load = (name: string) => () => recordOf(name, 1, 2 * KIB)
  for (const name of ['hot', 'cold', 'hot']) cache.find(path(name), load(name))
  for (let i = 0; i < 100; i++) {
    cache.find(path('hot'), neverLoad)
    for (const name of [`cold ${i}`, 'hot', `cold ${i}`]) cache.find(path(name), load(name))
  }
  const kept = Array.from({ length: 100 }, (_, i) => cache.peek(path(`cold ${i}`))).filter(Boolean).length
  t.ok(kept > 0 && kept <= 16, `${kept} of the cold ones, 4 KiB each with their overhead, fit into 64 KiB`)
})

t.test('a record weighs what its history and its outcomes weigh', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  const outcome = {
    key: 'k',
    fingerprint: 'f',
    expiresAtMs: 1,
    version: { epoch: 0, seq: 0 },
    refused: false,
  }
  const outcomes = Array.from({ length: 50 }, () => ({ ...outcome, replaced: false, file: undefined }))
  const load = (name: string) => () => ({ ...recordOf(name, 1, 0), outcomes })
  for (const name of ['a', 'b', 'a', 'c', 'b', 'c', 'd', 'e', 'd', 'e']) cache.find(path(name), load(name))
  t.equal(cache.peek(path('a')), undefined, 'two generations have passed')
  t.ok(cache.peek(path('e')))
})

t.test('with any order of looks and changes, nobody sees an old version after a change', async () => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    size: fc.nat(20 * KIB),
    change: fc.constantFrom('none', 'put', 'drop'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const cache = new RecordCache({ bytesMax: 32 * KIB })
      const files = new Map<string, ChainRecord>()
      let seq = 0
      for (const { name, size, change } of steps) {
        if (change !== 'none') cache.forget(path(name))
        if (change === 'put') files.set(name, recordOf(name, ++seq, size))
        if (change === 'drop') files.delete(name)
        const seen = cache.find(path(name), () => files.get(name))
        if (seen?.version.seq !== files.get(name)?.version.seq) return false
      }
      return true
    }),
  )
})

function neverLoad(): never {
  throw new Error('it is kept, so nothing is looked up')
}

function recordOf(name: string, seq: number, size: number): ChainRecord {
  const version = { epoch: 1, seq }
  const nothing = absentRecord(path(name), identifierOfPath(path(name)), { epoch: 0, seq: 0 })
  const body = { size, sha256: '0'.repeat(64), blockChecksums: [], content: { inline: Buffer.alloc(size) } }
  const operation = { kind: 'put', body, meta: { mediaType: 'text/plain' }, writtenAtMs: 0 } as const
  return applyOperation(nothing, operation, { version, requestId: `r${seq}` as RequestId })
}

function withBytes(record: ChainRecord, inline: Buffer): ChainRecord {
  const { body } = record
  return { ...record, body: body && { ...body, size: inline.length, content: { inline } } }
}
