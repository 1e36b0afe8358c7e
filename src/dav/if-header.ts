/**
 * The If header (RFC 4918, section 10.4): which state a request is for, and which lock tokens it shows.
 */
import { StoreError } from '../errors.ts'

export interface Condition {
  readonly not: boolean
  /** A state token, or the quoted ETag of a version. */
  readonly kind: 'token' | 'etag'
  readonly value: string
}

/** One list of conditions that must hold together, for a resource: undefined means that of the request. */
export interface ConditionList {
  readonly resource: string | undefined
  readonly conditions: readonly Condition[]
}

/** Conditions of one header; a client that needs more has lost its way. */
const CONDITIONS_MAX = 200

// <resource>, (, ), Not, <token>, ["etag"]
const piece = /\s*(?:<([^<>\s]*)>|(\()|(\))|(not)(?=[\s<[])|\[((?:W\/)?"[^"]*")\])/iy

/**
 * The lists, of which one must hold.
 * @throws StoreError INVALID_REQUEST.
 */
export function parseIf(text: string): ConditionList[] {
  const lists: ConditionList[] = []
  let resource: string | undefined
  let conditions: Condition[] | undefined
  let not = false
  let count = 0
  piece.lastIndex = 0
  while (text.slice(piece.lastIndex).trim() !== '') {
    const match = piece.exec(text)
    if (match === null || ++count > CONDITIONS_MAX) throw malformed()
    const [, angle, open, close, negation, etag] = match
    if (open !== undefined) {
      if (conditions !== undefined) throw malformed()
      conditions = []
    } else if (close !== undefined) {
      if (conditions === undefined || conditions.length === 0 || not) throw malformed()
      lists.push({ resource, conditions })
      conditions = undefined
    } else if (negation !== undefined) {
      if (conditions === undefined || not) throw malformed()
      not = true
    } else if (conditions === undefined) {
      if (angle === undefined) throw malformed()
      resource = angle
    } else {
      const condition: Condition =
        etag === undefined
          ? { not, kind: 'token', value: angle as string }
          : { not, kind: 'etag', value: etag }
      conditions.push(condition)
      not = false
    }
  }
  if (conditions !== undefined || lists.length === 0) throw malformed()
  return lists
}

/** Every lock token that the header names, whether or not it must hold. */
export function tokensOf(lists: readonly ConditionList[]): Set<string> {
  return new Set(
    lists.flatMap(({ conditions }) =>
      conditions.filter(({ kind, not }) => kind === 'token' && !not).map(({ value }) => value),
    ),
  )
}

/** What is so of a resource. */
export interface State {
  readonly etag: string | undefined
  readonly tokens: ReadonlySet<string>
}

/** True when one of the lists holds. */
export async function holds(
  lists: readonly ConditionList[],
  stateOf: (resource: string | undefined) => Promise<State>,
): Promise<boolean> {
  for (const { resource, conditions } of lists) {
    const { etag, tokens } = await stateOf(resource)
    const all = conditions.every(({ not, kind, value }) => {
      const is = kind === 'token' ? tokens.has(value) : etag !== undefined && value === etag
      return is !== not
    })
    if (all) return true
  }
  return false
}

function malformed(): StoreError {
  return new StoreError('INVALID_REQUEST', 'The If header cannot be read (RFC 4918, section 10.4).')
}
