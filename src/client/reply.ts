/**
 * What a reply means: its JSON within a limit, and a refusal as a StoreError with the code of the node.
 */
import { text as readText } from 'node:stream/consumers'
import type { Dispatcher } from 'undici'
import { ERROR_CODES, type ErrorCode, StoreError } from '../errors.ts'

export type Reply = Dispatcher.ResponseData

/** An answer is a receipt, a status or one sentence; what is longer comes from something that is no node. */
const ANSWER_BYTES_MAX = 1024 * 1024

/** The JSON of a reply. @throws StoreError UNAVAILABLE when it is longer than 1 MiB, which no node's answer is. */
export async function jsonOf(reply: Reply): Promise<unknown> {
  return JSON.parse(await readText(limited(reply.body, ANSWER_BYTES_MAX)))
}

/** The error that a node answered with. A reply that is no node's own still gets a code, by its status. */
export async function errorOfReply(reply: Reply, path: string | undefined): Promise<StoreError> {
  const fields = await readErrorFields(reply)
  const code =
    typeof fields.code === 'string' && Object.hasOwn(ERROR_CODES, fields.code)
      ? (fields.code as ErrorCode)
      : codeOfStatus(reply.statusCode)
  const message =
    typeof fields.message === 'string' ? fields.message : `The node answered ${reply.statusCode}.`
  const retryAfter = Number(reply.headers['retry-after'])
  const { missing } = fields
  const shownPath = typeof fields.path === 'string' ? fields.path : path
  return new StoreError(code, message, {
    ...(shownPath === undefined ? {} : { path: shownPath }),
    ...(Number.isFinite(retryAfter) && retryAfter >= 0 ? { retryAfterSeconds: retryAfter } : {}),
    ...(Array.isArray(missing) && { missing: missing.map(String) }),
  })
}

interface ErrorFields {
  readonly code?: unknown
  readonly message?: unknown
  readonly path?: unknown
  readonly missing?: unknown
}

async function readErrorFields(reply: Reply): Promise<ErrorFields> {
  try {
    const parsed = JSON.parse(await readText(limited(reply.body, ANSWER_BYTES_MAX))) as {
      error?: object
    }
    return parsed.error ?? {}
  } catch {
    // What cannot be read as a node's error is told apart by its status alone.
    return {}
  }
}

async function* limited(body: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > bytesMax)
      throw new StoreError('UNAVAILABLE', 'The answer is longer than any answer of a node.')
    yield chunk
  }
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return 'UNAUTHORIZED'
  if (status === 403) return 'FORBIDDEN'
  if (status === 404) return 'ROUTE_NOT_FOUND'
  if (status === 429) return 'OVERLOADED'
  return status >= 500 ? 'UNAVAILABLE' : 'INVALID_REQUEST'
}

/** One header of a reply; what came in several lines is joined. */
export function headerOf(reply: Reply, name: string): string | undefined {
  const value = reply.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
