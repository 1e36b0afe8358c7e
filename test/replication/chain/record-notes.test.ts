import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { chainRecordOf, fileOf, keptRecordOf } from '../../../src/replication/chain/record-notes.ts'
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
