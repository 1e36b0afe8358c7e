import { Buffer } from 'node:buffer'
import t from 'tap'
import type { Actor } from '../../../src/replication/eventual/dot.ts'
import { merge } from '../../../src/replication/eventual/eventual-record.ts'
import { type HeldRecord, heldOf, keptOf } from '../../../src/replication/eventual/kept-record.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'
import { decodeRecord, encodeRecord, notesOfRecord } from '../../../src/storage/record-codec.ts'
import { Writer } from './records.ts'

function held(): HeldRecord {
  const [a, b] = [new Writer('a/1'), new Writer('b/1')]
  a.put(10_000)
  b.put(20_000)
  const record = { ...merge(a.record, b.record), holders: ['a', 'b'] as NodeId[] }
  return { record, custody: { actor: 'a/1' as Actor, since: 3, owed: ['b' as NodeId] } }
}

t.test('a record comes back from its notes as it was, and from the bytes on the disk', async t => {
  const one = held()
  const kept = keptOf(one)
  t.strictSame(heldOf(kept), one)
  const file = kept.file as NonNullable<typeof kept.file>
  const value = encodeRecord(file, kept.notes)
  const read = decodeRecord(kept.path, value)
  t.strictSame(heldOf({ ...kept, file: read, notes: notesOfRecord(read, value) }), one)
})

t.test('so does a tombstone, which has notes alone', async t => {
  const a = new Writer('a/1')
  a.put(10_000)
  a.remove(20_000)
  const one = { record: a.record, custody: { actor: 'a/1' as Actor, since: 0, owed: [] } }
  const kept = keptOf(one)
  t.equal(kept.file, undefined)
  t.strictSame(heldOf(kept), one)
})

t.test('a bit that has turned is found', async t => {
  const kept = keptOf(held())
  const notes = Buffer.from(kept.notes)
  notes.writeUInt8(notes.readUInt8(20) ^ 1, 20)
  t.throws(() => heldOf({ ...kept, notes }), { code: 'CORRUPT' })
})

t.test('what format 1 has written is read', async t => {
  t.equal(Buffer.from(keptOf(held()).notes).toString('hex'), GOLDEN)
  t.strictSame(heldOf({ ...keptOf(held()), notes: Buffer.from(GOLDEN, 'hex') }), held())
})

const GOLDEN = [
  'c1247863b196019296a3622f3101cd4e20a5622f312d3114c096a3612f3101cd2710a5612f312d310a92de0004a47369',
  '7a6505a6736861323536d940363132663331323033313030303030303030303030303030303030303030303030303030',
  '30303030303030303030303030303030303030303030303030303030ae626c6f636b436865636b73756d739100a7636f',
  '6e74656e74de0001a6696e6c696e65c405612f312031de0001a96d6564696154797065aa746578742f706c61696e9292',
  'a3612f319192010192a3622f31919201019294a5622f312d31cd4e20c2c094a5612f312d31cd2710c2c092a161a16293',
  'a3612f310391a162',
].join('')
