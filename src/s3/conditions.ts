/**
 * The conditions of S3's requests: what they ask of the object that is read, copied or replaced.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { WriteCondition } from '../files/file-service.ts'
import { isWanted, parseETags } from '../http/conditions.ts'
import type { ETag, FileRecord } from '../storage/record.ts'
import { notImplemented, S3Error } from './errors.ts'
import { header, type S3Request } from './request.ts'

/** Clients of S3 often leave out the quotes of an ETag. */
function quoted(tags: string): string {
  return tags
    .split(',')
    .map(tag => tag.trim())
    .map(tag =>
      tag === '*' || tag === '' || /^(W\/)?".*"$/.test(tag) ? tag : `"${tag.replaceAll('"', '')}"`,
    )
    .join(', ')
}

/**
 * Evaluates the conditions of a read: true when the object is to be sent, false when it is not modified.
 * @throws StoreError PRECONDITION_FAILED, INVALID_REQUEST.
 */
export function isWantedBy(request: S3Request, record: FileRecord, nowMs: number): boolean {
  return isWanted(
    conditionsOf(name => header(request, name)),
    record,
    nowMs,
  )
}

/**
 * The conditions that a copy has for its source.
 * @throws S3Error PreconditionFailed, also where a read would be told that nothing was modified.
 */
export function refuseSource(request: S3Request, record: FileRecord, nowMs: number): void {
  const conditions = conditionsOf(name => header(request, `x-amz-copy-source-${name}`))
  if (isWanted(conditions, record, nowMs)) return
  throw new S3Error('PreconditionFailed', 'At least one of the conditions on the source did not hold.')
}

function conditionsOf(value: (name: string) => string | undefined): IncomingHttpHeaders {
  const [match, noneMatch] = [value('if-match'), value('if-none-match')]
  const [modified, unmodified] = [value('if-modified-since'), value('if-unmodified-since')]
  return {
    ...(match !== undefined && { 'if-match': quoted(match) }),
    ...(noneMatch !== undefined && { 'if-none-match': quoted(noneMatch) }),
    ...(modified !== undefined && { 'if-modified-since': modified }),
    ...(unmodified !== undefined && { 'if-unmodified-since': unmodified }),
  }
}

/**
 * What a write asks of the object that stands there; without conditions it replaces.
 * @throws S3Error NotImplemented, InvalidRequest; StoreError INVALID_REQUEST.
 */
export function writeConditionOf(request: Pick<S3Request, 'headers' | 'query'>): WriteCondition {
  const [match, noneMatch] = [header(request, 'if-match'), header(request, 'if-none-match')]
  if (
    header(request, 'if-modified-since') !== undefined ||
    header(request, 'if-unmodified-since') !== undefined
  )
    throw notImplemented(
      'conditions on the time of what is replaced, which two writes of one second would both meet',
    )
  if (noneMatch !== undefined) {
    if (match !== undefined)
      throw new S3Error('InvalidRequest', 'If-Match and If-None-Match contradict each other.')
    if (noneMatch.trim() !== '*') throw notImplemented('If-None-Match on writes but *')
    return 'absent'
  }
  if (match === undefined) return 'none'
  const tags = parseETags('If-Match', quoted(match))
  return tags === '*' ? 'exists' : { etags: tags.filter(tag => !tag.startsWith('W/')) as ETag[] }
}
