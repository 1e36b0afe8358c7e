import t from 'tap'
import {
  absentRecord,
  applyOperation,
  blobOfOperation,
  compareVersions,
  conditionHolds,
  etagOfRecord,
  HISTORY_MAX,
  movesFloorOf,
  type Operation,
  type RequestId,
} from '../../../src/replication/chain/chain-record.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import type { ETag } from '../../../src/storage/record.ts'
import { inline, large, path } from './bench.ts'

const position = '0'.repeat(40) as Identifier
const none = absentRecord(path('a'), position, { epoch: 2, seq: 5 })
const put: Operation = { kind: 'put', body: inline('x'), meta: { mediaType: 'text/plain' }, writtenAtMs: 1 }
const decided = (seq: number) => ({ version: { epoch: 2, seq }, requestId: `r${seq}` as RequestId })

t.test('a path without a record stands at the floor', async t => {
  t.same(none.version, { epoch: 2, seq: 5 })
  t.same(none.historyFloor, { epoch: 2, seq: 5 })
  t.ok(compareVersions({ epoch: 2, seq: 9 }, { epoch: 3, seq: 1 }) < 0)
})

t.test('the history keeps the latest writes, and knows from where on it is whole', async t => {
  let record = none
  for (let seq = 6; seq < 6 + HISTORY_MAX; seq++) record = applyOperation(record, put, decided(seq))
  t.equal(record.history.length, HISTORY_MAX)
  t.same(record.historyFloor, { epoch: 2, seq: 5 })
  record = applyOperation(record, { kind: 'remove' }, decided(99))
  t.equal(record.history.length, HISTORY_MAX)
  t.same(record.historyFloor, { epoch: 2, seq: 6 }, 'the oldest write is forgotten, and that is known')
})

t.test('an intent changes the version and not the file', async t => {
  const file = applyOperation(none, put, decided(6))
  const intent = {
    moveId: 'm' as RequestId,
    destination: path('b'),
    destinationVersion: { epoch: 1, seq: 1 },
  }
  const intended = applyOperation(file, { kind: 'intend', intent }, decided(7))
  t.equal(etagOfRecord(intended), etagOfRecord(file))
  t.ok(intended.intent)
  t.ok(applyOperation(intended, { kind: 'refuse' }, decided(8)).intent, 'a refusal beside it changes nothing')
  t.equal(applyOperation(intended, { kind: 'abandon' }, decided(8)).intent, undefined)
  t.equal(etagOfRecord(applyOperation(intended, { kind: 'remove' }, decided(8))), undefined)
})

t.test('conditions', async t => {
  const file = applyOperation(none, put, decided(6))
  const etag = etagOfRecord(file)
  t.same(
    [none, file].map(record => conditionHolds('none', record)),
    [true, true],
  )
  t.same(
    [none, file].map(record => conditionHolds('absent', record)),
    [true, false],
  )
  t.same(
    [none, file].map(record => conditionHolds('exists', record)),
    [false, true],
  )
  t.ok(etag !== undefined && conditionHolds({ etags: [etag] }, file))
  t.notOk(etag !== undefined && conditionHolds({ etags: [etag] }, none))
  t.notOk(conditionHolds({ etags: [`${etag}x` as ETag] }, file), 'another version')
})

t.test('a refusal changes nothing but what is remembered', async t => {
  const outcome = { key: 'k', fingerprint: 'f', version: { epoch: 2, seq: 7 }, expiresAtMs: 100 }
  const refusal = { ...outcome, refused: true, replaced: false, file: undefined }
  const file = applyOperation(none, put, decided(6))
  const record = applyOperation(file, { kind: 'refuse' }, decided(7), [refusal])
  t.same(record, { ...file, version: { epoch: 2, seq: 7 }, outcomes: [refusal] })
})

t.test('a record of an older program makes a move only at the version that was seen', async t => {
  const { movesFloor: _, ...older } = applyOperation(none, put, decided(6))
  t.same(movesFloorOf(older), { epoch: 2, seq: 6 })
  const written = applyOperation(older, put, decided(7))
  t.same(movesFloorOf(written), { epoch: 2, seq: 6 }, 'and goes on from there')
})

t.test('only a large body is a blob', async t => {
  t.equal(blobOfOperation(put), undefined)
  t.match(blobOfOperation({ ...put, body: large('b') }), { blobId: 'b', sha256: 'b' })
})

t.test('a file never counts as older than the one that it replaces', async t => {
  const at = (beforeMs: number, atMs: number) => {
    const before = applyOperation(none, { ...put, writtenAtMs: beforeMs }, decided(6))
    return applyOperation(before, { ...put, writtenAtMs: atMs }, decided(7)).writtenAtMs
  }
  t.equal(at(1_500, 1_600), 1_600)
  t.equal(at(1_500, 9_000), 9_000)
  t.equal(at(1_500, 1_400), 1_500, 'within a second clients cannot tell')
  t.equal(at(3_600_500, 1_000), 3_601_000, 'a clock that went back, or a move of an older file')
})
