/**
 * The small language in which tables say what a message of another node has to look like. A signature proves who
 * sent a message, not that it was well made: whatever comes in is looked at here before anything acts on it. The types of
 * the messages are derived from the same tables.
 *
 * Fields that a table does not name are let by, so that a newer node may say more.
 */

/** True for the values that may pass; they are of that type. */
export interface Shape<out Value = unknown> {
  (value: unknown): boolean
  /** Never there: it carries the type. */
  readonly value?: Value
}

/** Of a field that may be left out. */
export interface Optional<out Value = unknown> extends Shape<Value | undefined> {
  readonly [OPTIONAL]: true
}
declare const OPTIONAL: unique symbol

/** A shape for each field of an object type. */
export type Fields<Value> = {
  readonly [Name in keyof Value]-?: Record<never, never> extends Pick<Value, Name>
    ? Optional<Exclude<Value[Name], undefined>>
    : Shape<Value[Name]>
}

export type ValueOf<Some> = Some extends { readonly value?: infer Value } ? Value : never

/** The type of an object with these fields. */
export type ObjectOf<Some> = Flat<
  { readonly [Name in keyof Some as Some[Name] extends Optional ? never : Name]: ValueOf<Some[Name]> } & {
    readonly [Name in keyof Some as Some[Name] extends Optional ? Name : never]?: ValueOf<Some[Name]>
  }
>
type Flat<Value> = { [Name in keyof Value]: Value[Name] }

/** An object with these fields; one that is missing is undefined to its shape. */
export function object<Value>(fields: Fields<Value>): Shape<Value> {
  return fieldsFit(fields) as Shape<unknown> as Shape<Value>
}

/** The same, of a type that nobody has declared. */
export function fieldsFit<Some extends object>(fields: Some): Shape<ObjectOf<Some>> {
  const names = Object.keys(fields)
  const shapes = Object.values(fields) as Shape[]
  return value => {
    if (!isObject(value)) return false
    for (let at = 0; at < names.length; at++) {
      if (!(shapes[at] as Shape)(value[names[at] as string])) return false
    }
    return true
  }
}

/** A list of at most `lengthMax`. */
export function list<Value>(
  shape: Shape<Value>,
  lengthMax: number = Number.POSITIVE_INFINITY,
): Shape<readonly Value[]> {
  return value => Array.isArray(value) && value.length <= lengthMax && value.every(each => shape(each))
}

/** A list of exactly these. */
export function tuple<const Values extends readonly unknown[]>(
  ...shapes: { readonly [At in keyof Values]: Shape<Values[At]> }
): Shape<Values> {
  return value =>
    Array.isArray(value) && value.length === shapes.length && shapes.every((shape, at) => shape(value[at]))
}

/** A field that may be left out. */
export function absentOr<Value>(shape: Shape<Value>): Optional<Value> {
  return undefinedOr(shape) as Optional<Value>
}

/** A field that whoever makes the object has to think of, though it may have nothing to say. */
export function undefinedOr<Value>(shape: Shape<Value>): Shape<Value | undefined> {
  return value => value === undefined || shape(value)
}

export function either<Values extends readonly unknown[]>(
  ...shapes: { readonly [At in keyof Values]: Shape<Values[At]> }
): Shape<Values[number]> {
  return value => shapes.some(shape => shape(value))
}

/** What has the first shape, and holds what the others ask for. */
export function both<Value>(shape: Shape<Value>, ...others: readonly Shape[]): Shape<Value> {
  return value => shape(value) && others.every(other => other(value))
}

export function oneOf<const Value extends string | number | boolean>(
  ...values: readonly Value[]
): Shape<Value> {
  return value => values.includes(value as Value)
}

/** An integer in these bounds, both included. */
export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return value => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}

/** Well-formed text of so many UTF-16 units. */
export function text<Text extends string = string>(lengthMax: number, lengthMin = 0): Shape<Text> {
  return value =>
    typeof value === 'string' &&
    value.length >= lengthMin &&
    value.length <= lengthMax &&
    value.isWellFormed()
}

export function matching<Text extends string = string>(pattern: RegExp): Shape<Text> {
  return value => typeof value === 'string' && pattern.test(value)
}

export const flag: Shape<boolean> = value => typeof value === 'boolean'

export const finite: Shape<number> = value => Number.isFinite(value)

/** Bytes of at most `lengthMax`. */
export function bytes(lengthMax: number): Shape<Uint8Array> {
  return value => value instanceof Uint8Array && value.length <= lengthMax
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
