/**
 * What clients ask and are told, in the words of a history.
 */
import type { Condition } from '../../replication/replication.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { FileRecord } from '../../storage/record.ts'
import type { TrashName } from '../../storage/trash-name.ts'
import type { Told, Wish } from './client-request.ts'
import type { Action, Answer, Writing } from './history.ts'

/** A write as its condition makes it. */
export function writingOf(condition: Condition, writing: Writing): Action {
  if (condition === 'none') return { kind: 'put', ...writing }
  if (condition === 'absent') return { kind: 'create', ...writing }
  return { kind: 'replace', ...writing, etag: condition === 'exists' ? '' : (condition.etags[0] as string) }
}

/** What the history is told: one answer for each of its entries. */
export function answersOf(
  request: Wish,
  outcome: Told,
  values: {
    readonly read: (record: FileRecord | undefined) => Answer
    readonly inTrash: (path: PathName, name: TrashName) => string
  },
): Answer[] {
  const { read, inTrash } = values
  const unknown: Answer = { kind: 'unknown' }
  if (request.kind === 'trash') {
    if (outcome.kind !== 'trash') return [{ kind: 'refused' }]
    return [{ kind: 'ok', values: outcome.names.map(name => inTrash(request.path, name)) }]
  }
  if (outcome.kind === 'trash') throw new TypeError(`${request.kind} is told of the trash.`)
  if (request.kind === 'restore') {
    const { path, condition } = request
    const put = { kind: 'put', path, condition } as Wish
    return [{ kind: outcome.kind === 'done' ? 'ok' : 'refused' }, ...answersOf(put, outcome, values)]
  }
  // What is old enough the head says.
  if (request.kind === 'forget' && request.agedMs !== undefined) return [unknown]
  if (request.kind === 'get') return [outcome.kind === 'found' ? read(outcome.record) : { kind: 'refused' }]
  const two = request.kind === 'copy' || request.kind === 'move'
  if (outcome.kind === 'unavailable' && !two) return [{ kind: 'refused' }]
  if (outcome.kind === 'done' && two) return [{ kind: 'ok' }, { kind: 'ok' }]
  if (outcome.kind === 'done') {
    return [{ kind: 'ok', ...(request.kind === 'put' && { created: !outcome.replaced }) }]
  }
  if (outcome.kind !== 'failed')
    return two ? [request.kind === 'copy' ? { kind: 'refused' } : unknown, unknown] : [unknown]
  const refused: Answer = { kind: 'refused' }
  if (two) {
    if (outcome.reason === 'no-source') return [{ kind: 'FILE_NOT_FOUND' }, refused]
    if (outcome.reason === 'condition') return [refused, { kind: 'FILE_EXISTS' }]
    return [refused, unknown]
  }
  if (outcome.reason !== 'condition') return [refused]
  if (request.kind === 'remove') return [{ kind: 'FILE_NOT_FOUND' }]
  const absent = request.kind === 'put' && request.condition === 'absent'
  return [absent ? { kind: 'FILE_EXISTS' } : { kind: 'PRECONDITION_FAILED' }]
}
