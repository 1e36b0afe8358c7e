/**
 * READ at a replica: of a clean record anywhere, of a dirty one only at the tail (CRAQ, section 2.3), and told
 * to nobody before the acceptors have confirmed the view: by this node, or by the entry node when that says so.
 */

import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { serves } from '../../views/install.ts'
import { type NodeId, tailOf } from '../../views/view.ts'
import type { ChainRecord } from './chain-record.ts'
import { confirmThen } from './confirm.ts'
import { type Acknowledging, isClean } from './dirty.ts'
import { blobOf, send } from './machine-state.ts'
import type { MessageOf } from './messages.ts'
import { currentRecord, refuse } from './serving.ts'

export function onRead(m: Acknowledging, from: NodeId, message: MessageOf<'read'>): void {
  const { tag, viewId, path, position } = message
  const state = m.views.get(viewId)
  if (state === undefined || !state.view.replicas.includes(m.self)) {
    return refuse(m, from, tag, 'unknown-view', viewId, position)
  }
  if (state.sealed) return refuse(m, from, tag, 'sealed', viewId)
  if (!serves(state)) return refuse(m, from, tag, 'not-active', viewId)
  const record = currentRecord(m, state, path, position)
  const readable = tailOf(state.view) === m.self || isClean(m, state, record)
  if (!readable) return refuse(m, from, tag, 'dirty', viewId)
  const blob = blobOf(record)
  if (blob !== undefined && !m.blobs.has(blob.blobId)) return refuse(m, from, tag, 'body-missing', viewId)
  const { acceptors } = state.view
  if (message.unconfirmed) {
    send(m, from, { kind: 'value', tag, record, vote: acceptors.includes(m.self) })
    return
  }
  const vote = message.vote && acceptors.includes(from) ? { vote: from } : {}
  confirmThen(m, state, { to: from, message: { kind: 'value', tag, record }, ...vote })
}

/**
 * READ without a step, where this node's own vote is the majority that confirms the view, as in a network of one: the
 * record, or undefined when anything else has to be asked or done first.
 */
export function readAtOnce(m: Acknowledging, path: PathName, position: Identifier): ChainRecord | undefined {
  const view = m.table.covering(position)
  const state = view === undefined ? undefined : m.views.get(view.id)
  if (view === undefined || state === undefined || !serves(state)) return undefined
  if (!view.replicas.includes(m.self) || !view.acceptors.includes(m.self) || view.acceptors.length > 1)
    return undefined
  const record = currentRecord(m, state, path, position)
  if (record.intent !== undefined || !isClean(m, state, record)) return undefined
  const blob = blobOf(record)
  return blob === undefined || m.blobs.has(blob.blobId) ? record : undefined
}
