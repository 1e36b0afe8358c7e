/**
 * Whether this node may serve a request in a view, and what it says when it may not.
 */

import { arcContains } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { serves } from '../../views/install.ts'
import { headOf, type NodeId, type ViewId, type ViewState } from '../../views/view.ts'
import { absentRecord, type ChainRecord } from './chain-record.ts'
import { type Deciding, newerViews } from './deciding.ts'
import { sealedView } from './finishing.ts'
import { send } from './machine-state.ts'
import type { RefusalReason, Tag } from './messages.ts'

/** What is at a path now, acknowledged or not. */
export function currentRecord(
  m: Deciding,
  state: ViewState,
  path: PathName,
  position: Identifier,
): ChainRecord {
  return m.records.get(path, position) ?? absentRecord(path, position, state.floor)
}

/** The view's state when this node is its serving head; otherwise the sender is refused, and told what came after. */
export function headState(
  m: Deciding,
  from: NodeId,
  message: { viewId: ViewId; tag: Tag },
  position?: Identifier,
): ViewState | undefined {
  const state = m.views.get(message.viewId)
  const fault = headFault(m, state, position)
  if (fault === undefined) return state
  refuse(m, from, message.tag, fault, message.viewId, position)
  return undefined
}

function headFault(
  m: Deciding,
  state: ViewState | undefined,
  position: Identifier | undefined,
): RefusalReason | undefined {
  if (state === undefined) return 'unknown-view'
  if (headOf(state.view) !== m.self) return 'not-head'
  if (position !== undefined && !arcContains(state.view, position)) return 'unknown-view'
  if (state.sealed) return 'sealed'
  return serves(state) ? undefined : 'not-active'
}

/** Refuses, and says what this node knows that is newer. */
export function refuse(
  m: Deciding,
  to: NodeId,
  tag: Tag,
  reason: RefusalReason,
  viewId: ViewId,
  position?: Identifier,
): void {
  const state = m.views.get(viewId)
  const covering = position === undefined ? undefined : m.table.covering(position)
  const known = covering === undefined ? [] : [covering]
  const teaches = state === undefined ? known : newerViews(m, state.view)
  const sealed = state?.sealed ? sealedView(m, state.view, state) : undefined
  send(m, to, { kind: 'refused', tag, reason, teaches, sealed })
}
