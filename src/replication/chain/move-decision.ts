/**
 * What becomes of a move: it is decided at its destination, by the head, once: the copy is made or will never be made, and
 * either is kept there under the move's own name until the source holds its intent no more (docs/decisions/0141). Whoever
 * settles the move is told the same, however often the destination was written since.
 */

import { serves } from '../../views/install.ts'
import { headOf, type NodeId, type ViewState } from '../../views/view.ts'
import {
  type ChainRecord,
  compareVersions,
  conditionHolds,
  inHistory,
  type KeyOutcome,
  type MoveRefusal,
  movesFloorOf,
} from './chain-record.ts'
import { tell } from './machine-state.ts'
import type { MessageOf, ReplyMessage, Tag, WriteBinding, WriteRequest } from './messages.ts'
import {
  hasRoomForKey,
  hasRoomForMove,
  keptOutcome,
  moveOutcome,
  unsettledMoves,
  withSettled,
} from './outcomes.ts'
import { type Passing, storeRecord } from './passing.ts'
import { currentRecord } from './serving.ts'

/** Moves that a path remembers before its head finds out itself which of them are settled. */
const TIDIED_FROM = 16

/** Such a write asks for the decision of a move. */
export type MoveWrite = WriteRequest & Required<Pick<WriteRequest, 'settles' | 'move'>>

export function isMoveWrite(request: WriteRequest): request is MoveWrite {
  return request.move !== undefined && request.settles !== undefined
}

/** What the settler is answered without a write; undefined when the move has to be decided now. */
export function knownDecision(
  record: ChainRecord,
  request: MoveWrite,
  binding: WriteBinding,
  tag: Tag,
): ReplyMessage | undefined {
  const { version: current } = record
  const known = moveOutcome(record, request.settles)
  if (known?.refused) return { kind: 'failed', tag, record }
  const version = known?.version ?? inHistory(record, request.requestId)
  if (version !== undefined) return { kind: 'written', tag, version, current, replaced: known?.replaced }
  const seen = binding.kind === 'expected' ? binding.version : record.version
  // It was settled and is forgotten, or begins anew: nothing may come of it here.
  if (compareVersions(seen, movesFloorOf(record)) < 0) return { kind: 'stale', tag, record }
  if (record.intent !== undefined && request.operation.kind !== 'refuse')
    return { kind: 'unsettled', tag, record }
  return undefined
}

/** Why the copy is not made; undefined when it is. */
export function refusalOf(record: ChainRecord, request: MoveWrite): MoveRefusal | undefined {
  const { key, operation, move } = request
  if (operation.kind === 'refuse') return 'yielded'
  const known = key && keptOutcome(record, key.key)
  // Another move under the same key was decided first, so this one is not to happen.
  if (key && known) return known.fingerprint === key.fingerprint ? 'yielded' : 'key-reused'
  const holds = conditionHolds(move.condition, record)
  if (key && !hasRoomForKey(record, !holds)) return 'too-many-keys'
  return holds ? undefined : 'condition'
}

/** Whether one more decision can be kept here; when not, its head looks for one that need not be. */
export function hasRoom(m: Passing, record: ChainRecord): boolean {
  tidy(m, record, TIDIED_FROM)
  return hasRoomForMove(record)
}

/** A settled move that nobody told of would be remembered for ever: the head looks at the source of the oldest one. */
function tidy(m: Passing, { path, outcomes, ...rest }: ChainRecord, from: number): void {
  const open = unsettledMoves({ path, outcomes, ...rest })
  const oldest = open.length >= from ? open[0]?.move : undefined
  if (oldest !== undefined)
    tell(m, { kind: 'move-unsettled', path, moveId: oldest.moveId, source: oldest.source })
}

/** What is remembered of a move that was decided. */
export function decisionOf(
  { settles, move }: MoveWrite,
  outcome: Omit<KeyOutcome, 'key' | 'fingerprint' | 'expiresAtMs'>,
  refusal: MoveRefusal | undefined,
): KeyOutcome {
  const decision = { moveId: settles, source: move.source, ...(refusal && { refusal }) }
  const refused = refusal !== undefined
  // A program of protocol 2 would forget it at that time.
  const expiresAtMs = Number.MAX_SAFE_INTEGER
  return { ...outcome, refused, key: settles, fingerprint: '', expiresAtMs, move: decision }
}

export function onSettled(m: Passing, _from: NodeId, message: MessageOf<'settled'>): void {
  const state: ViewState | undefined = m.views.get(message.viewId)
  if (state === undefined || !serves(state) || headOf(state.view) !== m.self) return
  const { path, position, moveId } = message
  const record = currentRecord(m, state, path, position)
  const known = moveOutcome(record, moveId)
  if (known === undefined || known.move?.settled) return
  const version = { epoch: state.view.epoch, seq: state.seq + 1 }
  storeRecord(m, state, { ...record, version, ...withSettled(record, moveId) })
}
