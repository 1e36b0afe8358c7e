import t from 'tap'
import {
  absentRecord,
  applyOperation,
  blobOfOperation,
  compareVersions,
  conditionHolds,
  etagOfRecord,
  HISTORY_MAX,
  type Operation,
  REFUSALS_PER_PATH_MAX,
  type RequestId,
} from '../../../src/replication/chain/chain-record.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
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
  for (let seq = 6; seq < 6 + HISTORY_MAX; seq++)
    record = applyOperation(record, put, decided(seq), undefined, 0)
  t.equal(record.history.length, HISTORY_MAX)
  t.same(record.historyFloor, { epoch: 2, seq: 5 })
  record = applyOperation(record, { kind: 'remove' }, decided(99), undefined, 0)
  t.equal(record.history.length, HISTORY_MAX)
  t.same(record.historyFloor, { epoch: 2, seq: 6 }, 'the oldest write is forgotten, and that is known')
})

t.test('an intent changes the version and not the file', async t => {
  const file = applyOperation(none, put, decided(6), undefined, 0)
  const intent = {
    moveId: 'm' as RequestId,
    destination: path('b'),
    destinationVersion: { epoch: 1, seq: 1 },
  }
  const intended = applyOperation(file, { kind: 'intend', intent }, decided(7), undefined, 0)
  t.equal(etagOfRecord(intended), etagOfRecord(file))
  t.ok(intended.intent)
  t.equal(applyOperation(intended, { kind: 'abandon' }, decided(8), undefined, 0).intent, undefined)
  t.equal(etagOfRecord(applyOperation(intended, { kind: 'remove' }, decided(8), undefined, 0)), undefined)
})

t.test('conditions', async t => {
  const file = applyOperation(none, put, decided(6), undefined, 0)
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
})

t.test('outcomes of keys go when their time is over', async t => {
  const outcome = {
    key: 'k',
    fingerprint: 'f',
    version: { epoch: 2, seq: 6 },
    expiresAtMs: 100,
    refused: false,
    replaced: false,
    file: undefined,
  }
  const file = applyOperation(none, put, decided(6), outcome, 0)
  t.same(applyOperation(file, put, decided(7), undefined, 99).outcomes, [outcome])
  t.same(applyOperation(file, put, decided(7), undefined, 100).outcomes, [])
})

t.test('a refusal changes nothing but what is remembered, and refusals make room for each other', async t => {
  const file = applyOperation(none, put, decided(6), undefined, 0)
  const about = {
    fingerprint: 'f',
    version: { epoch: 2, seq: 6 },
    expiresAtMs: 100,
    replaced: false,
    file: undefined,
  }
  const done = { ...about, key: 'done', refused: false }
  let record = applyOperation(file, put, decided(7), done, 0)
  const etag = etagOfRecord(record)
  for (let seq = 8; seq < 8 + REFUSALS_PER_PATH_MAX + 3; seq++) {
    const refusal = { ...about, key: `refused-${seq}`, refused: true }
    record = applyOperation(record, { kind: 'refuse' }, decided(seq), refusal, 0)
  }
  t.equal(etagOfRecord(record), etag)
  t.same(record.history, applyOperation(file, put, decided(7), undefined, 0).history)
  t.equal(record.outcomes.length, REFUSALS_PER_PATH_MAX + 1)
  t.same([record.outcomes[0]?.key, record.outcomes[1]?.key], ['done', 'refused-11'])
})

t.test('only a large body is a blob', async t => {
  t.equal(blobOfOperation(put), undefined)
  t.match(blobOfOperation({ ...put, body: large('b') }), { blobId: 'b', sha256: 'b' })
})

t.test('a file never counts as older than the one that it replaces', async t => {
  const at = (beforeMs: number, atMs: number) => {
    const before = applyOperation(none, { ...put, writtenAtMs: beforeMs }, decided(6), undefined, 0)
    return applyOperation(before, { ...put, writtenAtMs: atMs }, decided(7), undefined, 0).writtenAtMs
  }
  t.equal(at(1_500, 1_600), 1_600)
  t.equal(at(1_500, 9_000), 9_000)
  t.equal(at(1_500, 1_400), 1_500, 'within a second clients can not tell')
  t.equal(at(3_600_500, 1_000), 3_601_000, 'a clock that went back, or a move of an older file')
})
