import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import t from 'tap'
import type { PathName } from '../../src/ring/path-name.ts'
import type { FileRecord } from '../../src/storage/record.ts'
import { RecordCache } from '../../src/storage/record-cache.ts'

const KIB = 1024

t.test('a record that is asked for again is kept', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  cache.find(path('a'), () => recordOf('a', 0, 100))
  const found = cache.find(path('a'), () => recordOf('a', 1, 100))
  t.match(found, { path: 'a', version: { seq: 1 } })
  t.equal(cache.find(path('a'), neverLoad), found)
})

t.test('that no file is there is not kept', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  t.equal(
    cache.find(path('a'), () => undefined),
    undefined,
  )
  t.match(
    cache.find(path('a'), () => recordOf('a', 1, 1)),
    { version: { seq: 1 } },
  )
})

t.test('bytes that are kept do not hold on to memory that they share', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  const shared = Buffer.alloc(8 * KIB, 'x')
  const record = recordOf('a', 1, 0)
  const inline = shared.subarray(100, 200)
  const load = () => ({ ...record, body: { ...record.body, content: { inline } } })
  cache.find(path('a'), load)
  const kept = cache.find(path('a'), load)
  t.match(kept?.body.content, { inline: Buffer.alloc(100, 'x') })
  const content = kept?.body.content as { inline: Buffer }
  t.equal(content.inline.buffer.byteLength, 100)
})

t.test('a path that is being changed is looked up each time', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  for (let i = 0; i < 2; i++) cache.find(path('a'), () => recordOf('a', 1, 10))
  const changed = cache.changing([path('a')])
  t.match(
    cache.find(path('a'), () => recordOf('a', 1, 10)),
    { version: { seq: 1 } },
  )
  t.match(
    cache.find(path('a'), () => recordOf('a', 2, 10)),
    { version: { seq: 2 } },
  )
  changed()
  for (let i = 0; i < 2; i++) cache.find(path('a'), () => recordOf('a', 3, 10))
  t.match(cache.find(path('a'), neverLoad), { version: { seq: 3 } })
})

t.test('what was asked for lately stays, what was not goes, and the limit holds', async t => {
  const cache = new RecordCache({ bytesMax: 64 * KIB })
  const load = (name: string) => () => recordOf(name, 1, 3 * KIB)
  for (let i = 0; i < 100; i++) {
    cache.find(path('hot'), load('hot'))
    for (let again = 0; again < 2; again++) cache.find(path(`cold ${i}`), load(`cold ${i}`))
  }
  t.ok(cache.find(path('hot'), neverLoad), 'the hot one stayed')
  let kept = 0
  for (let i = 99; i >= 0; i--) {
    if (cache.find(path(`cold ${i}`), () => undefined)) kept++
  }
  t.ok(kept > 0 && kept <= 16, `${kept} of the cold ones, 4 KiB each with their overhead, fit into 64 KiB`)
})

t.test('with any order of finds and changes, nobody sees an old version after a change', async () => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    size: fc.nat(20 * KIB),
    change: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const cache = new RecordCache({ bytesMax: 32 * KIB })
      const files = new Map<string, FileRecord>()
      let seq = 0
      for (const { name, size, change } of steps) {
        if (change) {
          const changed = cache.changing([path(name)])
          files.set(name, recordOf(name, ++seq, size))
          changed()
        }
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

function path(name: string): PathName {
  return name as PathName
}

function recordOf(name: string, seq: number, size: number): FileRecord {
  return {
    path: path(name),
    version: { epoch: 1, seq },
    body: { size, sha256: '0'.repeat(64), blockChecksums: [], content: { inline: Buffer.alloc(size) } },
    meta: { mediaType: 'text/plain' },
    writtenAtMs: 0,
  }
}
