/**
 * What a driver says when something has gone wrong: what was being handled when the program proved wrong, what
 * clients are told of a disk that refuses writes, and what was given up by force elsewhere.
 */
import type { Env } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { Effect } from './batch.ts'
import type { MachineEvent } from './machine.ts'

/** What kind of event it is, and of which kind its content; nothing of that content itself. */
export function nameOf(event: MachineEvent): string {
  if (event.kind === 'message') return `message ${event.envelope.message.kind}`
  if (event.kind === 'timer') return `timer ${event.timer.kind}`
  return event.kind === 'request' ? `request ${event.request.kind}` : event.kind
}

/** Why nothing is served: DISK_FULL, or UNAVAILABLE when the disk fails otherwise. */
export function faultOf(error: unknown): StoreError {
  if (errorCode(error) === 'DISK_FULL')
    return new StoreError('DISK_FULL', 'No space is left on the disk of this node.', { cause: error })
  return new StoreError('UNAVAILABLE', 'The disk of this node refuses writes.', { cause: error })
}

/** Why a node that ends does nothing more. */
export function stopping(): StoreError {
  return new StoreError('UNAVAILABLE', 'This node is stopping.')
}

/** Why one more request is not taken where so many are under way; undefined below the most. */
export function refusedBeyond(most: number, underWay: number): StoreError | undefined {
  if (underWay < most) return undefined
  return new StoreError('OVERLOADED', 'Too many requests are under way.', { retryAfterSeconds: 1 })
}

/** What a client was told here counts no more, which nobody shall have to find out by missing a file. */
export function logOverruled({ log }: Env, { view, by, records }: Effect & { kind: 'overruled' }): void {
  const { id, lo, hi, epoch } = view
  log.warn(
    { op: 'overruled', lo, hi, epoch, view: id, by: by.id, records },
    'a range was recovered by force elsewhere: what was written here since is given up',
  )
}
