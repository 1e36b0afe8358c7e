/**
 * The policy of a form by which a browser uploads an object: until when the form may be used, and what each of its fields may
 * be ("Creating a POST policy" in the S3 API reference). Pure.
 */
import { Buffer } from 'node:buffer'
import { S3Error } from './errors.ts'

/** One condition of a policy. `field` is in lower case. */
type Condition =
  | { readonly kind: 'eq' | 'starts-with'; readonly field: string; readonly value: string }
  | { readonly kind: 'content-length-range'; readonly min: number; readonly max: number }

export interface PostPolicy {
  readonly expiresMs: number
  readonly conditions: readonly Condition[]
}

/** Bytes that the object of a form may have. */
export interface SizeRange {
  readonly min: number
  readonly max: number
}

/** Fields that no condition has to be about: the form's own, and what is signed anyhow. */
const FREE_FIELDS = new Set(['policy', 'x-amz-signature', 'file'])

/** Conditions of one policy; each form has about ten. */
const CONDITIONS_MAX = 200

/** @param encoded JSON in base64. @throws S3Error InvalidPolicyDocument. */
export function parsePolicy(encoded: string): PostPolicy {
  const { expiration, conditions } = jsonObject(encoded)
  const expiresMs = typeof expiration === 'string' ? timestampMs(expiration) : Number.NaN
  if (Number.isNaN(expiresMs)) throw invalid('its expiration is no time of ISO 8601 in UTC.')
  if (!Array.isArray(conditions) || conditions.length === 0 || conditions.length > CONDITIONS_MAX)
    throw invalid(`it has no list of 1 to ${CONDITIONS_MAX} conditions.`)
  return { expiresMs, conditions: conditions.flatMap(conditionsOf) }
}

function jsonObject(encoded: string): { expiration?: unknown; conditions?: unknown } {
  let parsed: unknown
  try {
    const bytes = Buffer.from(encoded, 'base64')
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw invalid('it is not JSON in base64.', cause)
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
  throw invalid('it is not an object.')
}

function timestampMs(text: string): number {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text) ? Date.parse(text) : Number.NaN
}

/** `{"bucket": "b"}` is `["eq", "$bucket", "b"]`; an object may have several. */
function conditionsOf(given: unknown): Condition[] {
  if (Array.isArray(given)) return [listed(given)]
  if (typeof given !== 'object' || given === null)
    throw invalid('a condition is neither a list nor an object.')
  const entries = Object.entries(given)
  if (entries.length === 0) throw invalid('a condition is empty.')
  return entries.map(([name, value]) => {
    if (typeof value !== 'string') throw invalid(`the condition on ${name} has no text.`)
    return { kind: 'eq', field: name.toLowerCase(), value }
  })
}

function listed(given: readonly unknown[]): Condition {
  const [word, second, third] = given
  const kind = typeof word === 'string' ? word.toLowerCase() : ''
  if (given.length !== 3) throw invalid('a condition that is a list has other than three members.')
  if (kind === 'content-length-range') {
    const [min, max] = [bytesOf(second), bytesOf(third)]
    if (min > max) throw invalid('the range of lengths is empty.')
    return { kind, min, max }
  }
  if (kind !== 'eq' && kind !== 'starts-with') throw invalid('a condition is none that S3 has.')
  if (typeof second !== 'string' || !second.startsWith('$') || typeof third !== 'string')
    throw invalid(`a condition of the kind ${kind} names no field.`)
  return { kind, field: second.slice(1).toLowerCase(), value: third }
}

function bytesOf(value: unknown): number {
  const bytes = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0) return bytes
  throw invalid('a bound of the range of lengths is no number of bytes.')
}

/**
 * Holds a form to its policy, and gives the sizes that its object may have.
 * @param fields the form's, by lower-case name; `key` as it will be used, and `bucket`.
 * @throws S3Error AccessDenied.
 */
export function checkPolicy(
  policy: PostPolicy,
  fields: ReadonlyMap<string, string>,
  nowMs: number,
): SizeRange {
  if (nowMs > policy.expiresMs) throw denied('Policy expired.')
  let size: SizeRange = { min: 0, max: Number.POSITIVE_INFINITY }
  const named = new Set<string>()
  for (const condition of policy.conditions) {
    if (condition.kind === 'content-length-range') {
      size = { min: Math.max(size.min, condition.min), max: Math.min(size.max, condition.max) }
      continue
    }
    const { kind, field, value } = condition
    named.add(field)
    const given = fields.get(field)
    const holds = kind === 'eq' ? given === value : given?.startsWith(value)
    if (!holds) throw denied(`Policy Condition failed: ["${kind}", "$${field}", "${value}"]`)
  }
  const open = [...fields.keys()].filter(
    name => !FREE_FIELDS.has(name) && !name.startsWith('x-ignore-') && !named.has(name),
  )
  if (open.length > 0) throw denied(`Extra input fields: ${open.join(', ')}`)
  return size
}

function denied(why: string): S3Error {
  return new S3Error('AccessDenied', `Invalid according to Policy: ${why}`)
}

function invalid(why: string, cause?: unknown): S3Error {
  return new S3Error('InvalidPolicyDocument', `The policy of the form cannot be used: ${why}`, { cause })
}
