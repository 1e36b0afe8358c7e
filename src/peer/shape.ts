/**
 * The small language in which tables say what a message of another node has to look like. A signature proves who
 * sent a message, not that it was well made: whatever comes in is looked at here before anything acts on it.
 *
 * Fields that a table does not name are let by, so that a newer node may say more.
 */

/** True for the values that may pass. */
export type Shape = (value: unknown) => boolean

/** A shape for each field of an object type. */
export type Fields<Value> = { readonly [Name in keyof Value]-?: Shape }

/** An object with these fields; one that is missing is undefined to its shape. */
export function object<Value>(fields: Fields<Value>): Shape {
  const entries = Object.entries(fields) as [string, Shape][]
  return value => isObject(value) && entries.every(([name, shape]) => shape(value[name]))
}

/** A list of at most `lengthMax`. */
export function list(shape: Shape, lengthMax: number = Number.POSITIVE_INFINITY): Shape {
  return value => Array.isArray(value) && value.length <= lengthMax && value.every(shape)
}

/** A list of exactly these. */
export function tuple(...shapes: readonly Shape[]): Shape {
  return value =>
    Array.isArray(value) && value.length === shapes.length && shapes.every((shape, at) => shape(value[at]))
}

/** Nothing, which a field that is left out is, too. */
export function absentOr(shape: Shape): Shape {
  return value => value === undefined || shape(value)
}

export function either(...shapes: readonly Shape[]): Shape {
  return value => shapes.some(shape => shape(value))
}

export function both(...shapes: readonly Shape[]): Shape {
  return value => shapes.every(shape => shape(value))
}

export function oneOf(...values: readonly (string | number | boolean)[]): Shape {
  return value => values.includes(value as string)
}

/** An integer in these bounds, both included. */
export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): Shape {
  return value => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}

/** Well-formed text of so many UTF-16 units. */
export function text(lengthMax: number, lengthMin = 0): Shape {
  return value =>
    typeof value === 'string' &&
    value.length >= lengthMin &&
    value.length <= lengthMax &&
    value.isWellFormed()
}

export function matching(pattern: RegExp): Shape {
  return value => typeof value === 'string' && pattern.test(value)
}

export const flag: Shape = value => typeof value === 'boolean'

export const finite: Shape = value => Number.isFinite(value)

/** Bytes of at most `lengthMax`. */
export function bytes(lengthMax: number): Shape {
  return value => value instanceof Uint8Array && value.length <= lengthMax
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
