/**
 * The reception of a body: nothing of it is asked for before its reader wants it (so that `Expect: 100-continue`
 * is answered only after all early checks), the reader sets the pace, and a client that stands still is given up.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { StoreError } from '../errors.ts'
import { WholeBody } from '../whole-body.ts'
import type { Connections } from './connections.ts'

/** True when a request announces a body. */
export function hasBody(request: IncomingMessage): boolean {
  const { headers } = request
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/** The announced bytes of a body; undefined when it comes in chunks. */
export function announcedBytes(request: IncomingMessage): number | undefined {
  const { headers } = request
  if (headers['transfer-encoding'] !== undefined) return undefined
  return Number(headers['content-length'] ?? 0)
}

/** True when the client waits for a 100 before it sends the body (RFC 9110, section 10.1.1). */
export function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue' && hasBody(request)
}

/**
 * The bytes of a body as they come, until `signal` says that no more are wanted.
 * @throws StoreError INVALID_REQUEST when it is cut off or malformed, REQUEST_TIMEOUT when it stands still.
 */
export async function* receivedBody(
  request: IncomingMessage,
  response: ServerResponse,
  connections: Connections,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: StoreError | undefined
  let wake: (() => void) | undefined
  const notice = () => wake?.()
  const fail = (error: StoreError) => {
    failure ??= error
    notice()
  }
  const onCut = () => {
    if (!request.readableEnded && !request.complete) fail(cutOff())
    notice()
  }
  const onAbort = () => fail(cutOff())
  signal?.addEventListener('abort', onAbort)
  const finished = connections.receiving(request, { fail, isWaiting: () => wake !== undefined })
  request.on('readable', notice).on('end', notice).on('error', onCut).on('close', onCut)
  try {
    if (expectsContinue(request)) response.writeContinue()
    for (;;) {
      if (failure) throw failure
      const chunk: Uint8Array | null = request.read()
      if (chunk !== null) {
        yield chunk
      } else if (request.readableEnded) {
        return
      } else if (request.destroyed) {
        throw cutOff()
      } else {
        await new Promise<void>(resolve => {
          wake = resolve
        })
        wake = undefined
      }
    }
  } finally {
    finished()
    signal?.removeEventListener('abort', onAbort)
    request.off('readable', notice).off('end', notice).off('error', onCut).off('close', onCut)
  }
}

/**
 * A small body that announces its length, whole. It costs a fraction of what a stream does, and most bodies are small.
 * @throws StoreError as receivedBody.
 */
export function receivedWhole(
  request: IncomingMessage,
  connections: Connections,
  bytes: number,
): Promise<WholeBody> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let isOver = false
    let finished = () => {}
    const end = () => {
      isOver = true
      finished()
    }
    const fail = (error: StoreError) => {
      if (isOver) return
      end()
      request.pause()
      reject(error)
    }
    // Every request closes in the end: an error for each would cost more than the body.
    const onCut = () => {
      if (!isOver) fail(cutOff())
    }
    finished = connections.receiving(request, { fail, isWaiting: () => true })
    // What was refused before anybody read it, and a client that has gone while others had their turn.
    if (isOver) return finished()
    if (request.destroyed) return onCut()
    request
      .on('data', chunk => chunks.push(chunk))
      .on('error', onCut)
      .on('close', onCut)
    request.on('end', () => {
      if (isOver) return
      end()
      resolve(new WholeBody(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes)))
    })
  })
}

/** A whole small body as text. @throws StoreError FILE_TOO_LARGE beyond `bytesMax`; as receivedBody. */
export async function receivedText(
  request: IncomingMessage,
  response: ServerResponse,
  connections: Connections,
  bytesMax: number,
): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const tooLarge = () =>
    new StoreError('FILE_TOO_LARGE', `This endpoint takes a body of up to ${bytesMax} bytes.`)
  if ((announcedBytes(request) ?? 0) > bytesMax) throw tooLarge()
  for await (const chunk of receivedBody(request, response, connections)) {
    bytes += chunk.length
    if (bytes > bytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The body is not UTF-8.', { cause })
  }
}

/** Bytes of a body that an endpoint has no use for. Clients send `{}` or a form out of habit; that much is let pass. */
const IGNORED_BYTES_MAX = 16 * 1024

/** Takes in and throws away the body of a request whose endpoint needs none. @throws StoreError as receivedText. */
export async function ignoreBody(
  request: IncomingMessage,
  response: ServerResponse,
  connections: Connections,
): Promise<void> {
  if (hasBody(request)) await receivedText(request, response, connections, IGNORED_BYTES_MAX)
}

function cutOff(): StoreError {
  return new StoreError('INVALID_REQUEST', 'The connection was cut before the body was complete.')
}
