import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { ChainRecord, RequestId } from '../../../src/replication/chain/chain-record.ts'
import {
  areNotesWhole,
  chainRecordOf,
  fileOf,
  keptRecordOf,
} from '../../../src/replication/chain/record-notes.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import { decodeRecord, encodeRecord, notesOfRecord } from '../../../src/storage/record-codec.ts'
import { anyRecord } from './any-record.ts'

t.test('a record comes back from its notes as it was', async () => {
  fc.assert(fc.property(anyRecord, record => assert.deepEqual(chainRecordOf(keptRecordOf(record)), record)))
})

t.test('and from the bytes on the disk', async () => {
  fc.assert(
    fc.property(anyRecord, record => {
      const { path, position, file, notes } = keptRecordOf(record)
      if (file === undefined) return
      const value = encodeRecord(file, notes)
      const read = decodeRecord(path, value)
      assert.deepEqual(
        chainRecordOf({ path, position, file: read, notes: notesOfRecord(read, value) }),
        record,
      )
    }),
  )
})

t.test('a file has the version of its write, not of the intent on it', async t => {
  fc.assert(
    fc.property(anyRecord, record => {
      assert.deepEqual(fileOf(record)?.version, record.body && record.written?.version)
    }),
  )
  t.pass()
})

const path = parsePathName('a/b')
const first: ChainRecord = {
  path,
  position: identifierOfPath(path),
  version: { epoch: 3, seq: 7 },
  body: undefined,
  meta: undefined,
  written: undefined,
  writtenAtMs: 1_700_000_000_000,
  history: [
    { version: { epoch: 3, seq: 6 }, requestId: 'n/1.x/r1' as RequestId },
    { version: { epoch: 3, seq: 7 }, requestId: 'n/1.x/r2' as RequestId, replaced: true },
  ],
  historyFloor: { epoch: 3, seq: 0 },
  intent: undefined,
  outcomes: [],
}
const tombstone: ChainRecord = { ...first, movesFloor: { epoch: 3, seq: 7 } }

// Bytes that are on disks: a change of these means a new format of the data directory.
const NOTES = '92030792930306a86e2f312e782f7231940307a86e2f312e782f7232c3920300c0cb4278bcfe56800000c090'
const FORMAT_1 = `97${NOTES}`
const FORMAT_2 = `98${NOTES}920307`
const FORMAT_3 = `c104cc103a${FORMAT_2}`

t.test('notes of all formats are read, and written with a checksum', async t => {
  const { file, position } = keptRecordOf(tombstone)
  for (const [hex, record] of [
    [FORMAT_1, first],
    [FORMAT_2, tombstone],
    [FORMAT_3, tombstone],
  ] as const)
    t.strictSame(chainRecordOf({ path, position, file, notes: Buffer.from(hex, 'hex') }), record)
  t.equal(Buffer.from(keptRecordOf(tombstone).notes).toString('hex'), FORMAT_3)
})

t.test('whichever bit turns on the disk, and wherever the notes are cut, they are not believed', async t => {
  const kept = keptRecordOf(tombstone)
  t.ok(areNotesWhole(kept.notes))
  const damaged = [...kept.notes.keys()].flatMap(at => [
    kept.notes.subarray(0, at),
    ...Array.from({ length: 8 }, (_, bit) =>
      kept.notes.map((byte, index) => (index === at ? byte ^ (1 << bit) : byte)),
    ),
  ])
  t.equal(damaged.filter(areNotesWhole).length, 0)
  for (const notes of damaged)
    assert.throws(() => chainRecordOf({ ...kept, notes }), { code: 'CORRUPT', path })
})
