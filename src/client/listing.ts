/**
 * Reading a list to its end: line by line, and on after the last line where a connection breaks.
 */
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import { parsePathPrefix } from '../ring/path-name.ts'
import type { ListOptions } from './call-options.ts'
import { signalOf, type WireRequest } from './exchange.ts'
import { linesOf } from './json-lines.ts'
import { encodePath } from './request-parts.ts'
import type { Transport } from './transport.ts'
import type { ListedFile, ListedFolder } from './wire-types.ts'

/** Connections in a row that may break without a line having come. */
const LIST_BREAKS_MAX = 4
/** Before the next try; twice, three times as long after more breaks. */
const LIST_BREAK_PAUSE_MS = 100

/** Files, and with `delimiter` folders, under a prefix. Any node lists the whole network. @throws as StoreClient.list. */
export async function* listLines(
  { env, transport }: { readonly env: Env; readonly transport: Transport },
  prefix: string,
  options: ListOptions,
  delimiter: '' | '/',
): AsyncGenerator<ListedFile | ListedFolder> {
  const start = encodePath(parsePathPrefix(prefix))
  let after = options.after
  let left = options.limit ?? Number.POSITIVE_INFINITY
  for (let broken = 0; left > 0; ) {
    const query = [
      ...(delimiter === '' ? [] : [`delimiter=${encodeURIComponent(delimiter)}`]),
      ...(after === undefined ? [] : [`after=${encodeURIComponent(after)}`]),
      ...(left === Number.POSITIVE_INFINITY ? [] : [`limit=${left}`]),
    ]
    const request: WireRequest = {
      method: 'GET',
      target: `/list/${start}${query.length > 0 ? `?${query.join('&')}` : ''}`,
      headers: { accept: 'application/x-ndjson' },
      goal: 'any',
      ...signalOf(options),
    }
    const body = await transport.send(request, reply => reply.body)
    try {
      for await (const line of linesOf(body)) {
        const listed = line as ListedFile | ListedFolder
        after = 'path' in listed ? listed.path : listed.prefix
        left -= 1
        broken = 0
        yield listed
      }
      return
    } catch (cause) {
      options.signal?.throwIfAborted()
      if (errorCode(cause) !== undefined) throw cause
      broken += 1
      if (broken === LIST_BREAKS_MAX) {
        throw new StoreError('UNAVAILABLE', 'The connection broke before the list was complete.', { cause })
      }
      await env.timers.sleep(LIST_BREAK_PAUSE_MS * broken, options.signal)
    }
  }
}
