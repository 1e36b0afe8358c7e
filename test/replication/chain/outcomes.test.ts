import t from 'tap'
import {
  absentRecord,
  type ChainRecord,
  type KeyOutcome,
  OUTCOMES_PER_PATH_MAX,
  type RequestId,
} from '../../../src/replication/chain/chain-record.ts'
import {
  hasRoomForKey,
  hasRoomForMove,
  isOver,
  KEYS_PER_PATH_MAX,
  keptOutcome,
  MOVES_PER_PATH_MAX,
  moveOutcome,
  REFUSALS_PER_PATH_MAX,
  unsettledMoves,
  withoutExpired,
  withSettled,
} from '../../../src/replication/chain/outcomes.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { path } from './bench.ts'

const none = absentRecord(path('a'), identifierOfPath(path('a')), { epoch: 1, seq: 5 })
const moveId = (count: number) => `n/1.x/r${count}` as RequestId

function outcome(seq: number, more: Partial<KeyOutcome> = {}): KeyOutcome {
  const about = { key: `k${seq}`, fingerprint: 'f', expiresAtMs: 100, version: { epoch: 2, seq } }
  return { ...about, refused: false, replaced: false, file: undefined, ...more }
}

const moved = (seq: number, settled?: true) =>
  outcome(seq, { move: { moveId: moveId(seq), source: path('s'), ...(settled && { settled }) } })
const having = (outcomes: readonly KeyOutcome[]): ChainRecord => ({ ...none, outcomes })
const many = (count: number, each: (seq: number) => KeyOutcome) =>
  Array.from({ length: count }, (_, index) => each(index))

t.test('a key that a client chose never stands for a move', async t => {
  const record = having([moved(1), outcome(2)])
  t.equal(keptOutcome(record, 'k1'), undefined)
  t.equal(keptOutcome(record, 'k2'), record.outcomes[1])
  t.equal(moveOutcome(record, moveId(1)), record.outcomes[0])
  t.equal(moveOutcome(record, moveId(2)), undefined)
})

t.test('the time of the range ends a key, a move is kept until it is settled', async t => {
  const at = (rangeMs: number, wallMs = 0) => ({ rangeMs, wallMs, keptMs: 50 })
  const timed = outcome(1, { decidedAtMs: 20 })
  t.equal(isOver(timed, at(69, 1e15)), false)
  t.equal(isOver(timed, at(70)), true)
  t.equal(isOver(timed, at(0)), false, 'a time that fell behind keeps it for longer')
  t.equal(isOver(moved(1), at(1e15, 1e15)), false)
  t.equal(isOver(moved(1, true), at(0)), true)
  const record = having([timed, moved(2, true), outcome(3, { decidedAtMs: 60 })])
  t.same(
    withoutExpired(record, at(100)).outcomes,
    record.outcomes.slice(1),
    'settled moves have their own limit',
  )
  t.equal(withoutExpired(record, at(50)), record)
})

t.test('what an older program has written needs both times to be over', async t => {
  const at = (rangeMs: number, wallMs: number) => isOver(outcome(1), { rangeMs, wallMs, keptMs: 50 })
  t.same([at(50, 100), at(49, 100), at(50, 99)], [true, false, false])
})

t.test('each kind has its own room, and makes none for itself', async t => {
  t.equal(hasRoomForKey(having(many(KEYS_PER_PATH_MAX, outcome)), false), false)
  t.equal(hasRoomForKey(having(many(KEYS_PER_PATH_MAX - 1, outcome)), false), true)
  const refusals = many(REFUSALS_PER_PATH_MAX, seq => outcome(seq, { refused: true }))
  t.equal(hasRoomForKey(having(refusals), true), false)
  t.equal(hasRoomForKey(having(refusals), false), true)
  t.equal(hasRoomForMove(having(many(KEYS_PER_PATH_MAX, outcome))), true)
  t.equal(hasRoomForMove(having(many(MOVES_PER_PATH_MAX, seq => moved(seq)))), false)
  t.equal(hasRoomForMove(having(many(MOVES_PER_PATH_MAX - 1, seq => moved(seq)))), true)
  // As many keys as an older program would take.
  t.equal(hasRoomForMove(having(many(OUTCOMES_PER_PATH_MAX, outcome))), false)
})

t.test('the latest settled moves are remembered, and below the others none is made', async t => {
  let record = having(many(10, seq => moved(seq)))
  for (let seq = 0; seq < 8; seq++) record = { ...record, ...withSettled(record, moveId(seq)) }
  t.equal(record.outcomes.length, 10)
  t.same(record.movesFloor, none.movesFloor)
  t.equal(unsettledMoves(record).length, 2)
  record = { ...record, ...withSettled(record, moveId(8)) }
  t.equal(moveOutcome(record, moveId(0)), undefined)
  t.same(record.movesFloor, { epoch: 2, seq: 0 })
})
