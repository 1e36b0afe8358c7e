/**
 * Owns READ at a replica: of a clean record anywhere, of a dirty one only at the tail (CRAQ, section 2.3), and never
 * before the acceptors have confirmed the view.
 */
import { type NodeId, tailOf } from '../../views/view.ts'
import { confirmThen } from './confirm.ts'
import { isClean } from './dirty.ts'
import { blobOf, type Machine } from './machine-state.ts'
import type { RequestMessage } from './messages.ts'
import { currentRecord, mayServe, refuse } from './writing.ts'

export function onRead(m: Machine, from: NodeId, message: RequestMessage & { kind: 'read' }): void {
  const { tag, viewId, path, position } = message
  const state = m.views.get(viewId)
  if (state === undefined || !state.view.replicas.includes(m.self)) {
    return refuse(m, from, tag, 'unknown-view', viewId, position)
  }
  if (state.sealed) return refuse(m, from, tag, 'sealed', viewId)
  if (!mayServe(m, state)) return refuse(m, from, tag, 'not-active', viewId)
  const record = currentRecord(m, state, path, position)
  const readable = !m.rules.cleanReads || tailOf(state.view) === m.self || isClean(m, state, record)
  if (!readable) return refuse(m, from, tag, 'dirty', viewId)
  const blob = blobOf(record)
  if (blob !== undefined && !m.blobs.has(blob.blobId)) return refuse(m, from, tag, 'body-missing', viewId)
  const vote = message.vote && state.view.acceptors.includes(from) ? from : undefined
  confirmThen(m, state, { to: from, message: { kind: 'value', tag, record }, vote })
}
