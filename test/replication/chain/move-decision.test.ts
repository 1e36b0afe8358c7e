import t from 'tap'
import {
  absentRecord,
  applyOperation,
  type ChainRecord,
  type RequestId,
} from '../../../src/replication/chain/chain-record.ts'
import type { Tag, WriteBinding } from '../../../src/replication/chain/messages.ts'
import {
  decisionOf,
  isMoveWrite,
  knownDecision,
  type MoveWrite,
  refusalOf,
} from '../../../src/replication/chain/move-decision.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { inline, path } from './bench.ts'

const position = identifierOfPath(path('b'))
const none = absentRecord(path('b'), position, { epoch: 1, seq: 5 })
const moveId = 'n/1.x/r1' as RequestId
const key = { key: 'k', fingerprint: 'f', expiresAtMs: 0 }
const put = { kind: 'put', body: inline('w'), meta: { mediaType: 'a/b' }, writtenAtMs: 0 } as const
const request: MoveWrite = {
  path: path('b'),
  position,
  requestId: `${moveId}:copy` as RequestId,
  operation: put,
  condition: 'none',
  settles: moveId,
  move: { source: path('a'), condition: 'absent' },
}
const seen = (seq: number): WriteBinding => ({ kind: 'expected', version: { epoch: 1, seq } })
const known = (record: ChainRecord, binding = seen(5), asked = request) =>
  knownDecision(record, asked, binding, 't' as Tag)?.kind
const about = { version: { epoch: 1, seq: 6 }, refused: false, replaced: true, file: undefined }
const decided = (id: string, seq: number) => ({ version: { epoch: 1, seq }, requestId: id as RequestId })

t.test('a move is decided once', async t => {
  t.equal(known(none), undefined)
  const later = applyOperation(none, put, decided('other', 6))
  t.equal(known(later), undefined, 'whatever was written since it saw the destination')
  const done = { ...later, outcomes: [decisionOf(request, about, undefined)] }
  t.match(knownDecision(done, request, seen(5), 't' as Tag), {
    kind: 'written',
    version: { seq: 6 },
    replaced: true,
  })
  t.equal(known({ ...later, outcomes: [decisionOf(request, about, 'condition')] }), 'failed')
  t.equal(known(applyOperation(none, put, decided(request.requestId, 6))), 'written', 'by an older program')
})

t.test('below the floor of moves nothing is decided any more', async t => {
  const record = { ...none, version: { epoch: 1, seq: 9 }, movesFloor: { epoch: 1, seq: 6 } }
  t.equal(known(record), 'stale')
  t.equal(known(record, seen(6)), undefined)
})

t.test('another move of the destination comes first, unless this one yields', async t => {
  const intent = { moveId: 'n/1.x/r2' as RequestId, destination: path('c'), destinationVersion: none.version }
  const record = { ...applyOperation(none, put, decided('w', 6)), intent }
  t.equal(known(record), 'unsettled')
  const yields: MoveWrite = { ...request, operation: { kind: 'refuse' } }
  t.equal(known(record, seen(5), yields), undefined)
  t.equal(refusalOf(record, yields), 'yielded')
})

t.test('the condition is that of the moment of the decision, and a key counts once', async t => {
  const file = applyOperation(none, put, decided('w', 6))
  t.equal(refusalOf(none, request), undefined)
  t.equal(refusalOf(file, request), 'condition')
  t.equal(refusalOf(file, { ...request, move: { source: path('a'), condition: 'none' } }), undefined)
  const keyed = { ...request, key }
  t.equal(refusalOf({ ...none, outcomes: [{ ...key, ...about }] }, keyed), 'yielded')
  t.equal(refusalOf({ ...none, outcomes: [{ ...key, ...about, fingerprint: 'g' }] }, keyed), 'key-reused')
  const full = Array.from({ length: 256 }, (_, count) => ({ ...key, ...about, key: `k${count}x` }))
  t.equal(refusalOf({ ...none, outcomes: full }, keyed), 'too-many-keys')
  t.equal(refusalOf({ ...none, outcomes: full }, request), undefined)
})

t.test('only the copy of a move asks for its decision', async t => {
  const { move: _, ...older } = request
  t.same([isMoveWrite(request), isMoveWrite(older)], [true, false])
})
