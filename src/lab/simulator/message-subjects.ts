/**
 * What a message of replication is about, for the transcript, and whether it brings a body.
 */
import type { Envelope } from '../../replication/chain/messages.ts'

export function isBody({ message }: Envelope): boolean {
  return message.kind === 'stage' || message.kind === 'stage-on' || message.kind === 'blob'
}

/** The views and paths that a message is about. */
export function subjectsOf(message: Envelope['message']): string[] {
  const found: string[] = []
  if ('viewId' in message) found.push(message.viewId)
  if ('view' in message) found.push(message.view.id)
  if ('path' in message) found.push(message.path)
  if ('record' in message && message.record !== undefined) found.push(message.record.path)
  if ('request' in message) found.push(message.request.path)
  return found
}
