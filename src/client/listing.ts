/**
 * Reading a list to its end: line by line, and on after the last line where a connection breaks.
 */
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import { parsePathPrefix } from '../ring/path-name.ts'
import type { ListOptions } from './call-options.ts'
import { signalOf, type WireRequest } from './exchange.ts'
import { linesOf } from './json-lines.ts'
import type { Reply } from './reply.ts'
import { encodePath } from './request-parts.ts'
import type { ListedFile, ListedFolder } from './wire-types.ts'

/** Connections in a row that may break without a line having come. */
const LIST_BREAKS_MAX = 4
/** Before the next try; twice, three times as long after more breaks. */
const LIST_BREAK_PAUSE_MS = 100

/** Where lines are read from. */
export interface Lines {
  readonly env: () => Env
  readonly send: <T>(request: WireRequest, take: (reply: Reply) => Promise<T>) => Promise<T>
}

/** A list: its door, what is asked of it, and where a line of it lies. */
export interface ListOf<Line> {
  readonly target: string
  readonly query: readonly string[]
  /** What the list goes on after. */
  readonly placeOf: (line: Line) => string
}

/** Files, and with `delimiter` folders, under a prefix. Any node lists the whole network. @throws as StoreClient.list. */
export async function* listLines(
  lines: Lines,
  prefix: string,
  options: ListOptions,
  delimiter: '' | '/',
): AsyncGenerator<ListedFile | ListedFolder> {
  const what: ListOf<ListedFile | ListedFolder> = {
    target: `/list/${encodePath(parsePathPrefix(prefix))}`,
    query: delimiter === '' ? [] : [`delimiter=${encodeURIComponent(delimiter)}`],
    placeOf: listed => ('path' in listed ? listed.path : listed.prefix),
  }
  yield* readLines(lines, what, options)
}

/** The lines of a list; a connection that breaks is taken up again after the last line that came. @throws as StoreClient.list. */
export async function* readLines<Line>(
  { env, send }: Lines,
  { target, query, placeOf }: ListOf<Line>,
  options: ListOptions,
): AsyncGenerator<Line> {
  let after = options.after
  let left = options.limit ?? Number.POSITIVE_INFINITY
  for (let broken = 0; left > 0; ) {
    const asked = [
      ...query,
      ...(after === undefined ? [] : [`after=${encodeURIComponent(after)}`]),
      ...(left === Number.POSITIVE_INFINITY ? [] : [`limit=${left}`]),
    ]
    const request: WireRequest = {
      method: 'GET',
      target: `${target}${asked.length > 0 ? `?${asked.join('&')}` : ''}`,
      headers: { accept: 'application/x-ndjson' },
      goal: 'any',
      ...signalOf(options),
    }
    const body = await send(request, async reply => reply.body)
    try {
      for await (const line of linesOf(body)) {
        after = placeOf(line as Line)
        left -= 1
        broken = 0
        yield line as Line
      }
      return
    } catch (cause) {
      options.signal?.throwIfAborted()
      if (errorCode(cause) !== undefined) throw cause
      broken += 1
      if (broken === LIST_BREAKS_MAX) {
        throw new StoreError('UNAVAILABLE', 'The connection broke before the list was complete.', { cause })
      }
      await env().timers.sleep(LIST_BREAK_PAUSE_MS * broken, options.signal)
    }
  }
}
