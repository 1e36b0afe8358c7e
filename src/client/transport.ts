/**
 * Owns one request to a node: its deadlines, when it is tried again, and how a refusal becomes a StoreError.
 *
 * A request is tried again when the node says that this can help, and when the connection failed and a repetition does
 * no harm: reads, and writes under an Idempotency-Key, which the node carries out once whatever the number of tries.
 */
import { Readable } from 'node:stream'
import { text as readText } from 'node:stream/consumers'
import { Agent, type Dispatcher } from 'undici'
import type { Env } from '../env.ts'
import { ERROR_CODES, type ErrorCode, errorCode, StoreError } from '../errors.ts'

export interface TransportInit {
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string
  readonly token: string | undefined
  /** From the end of a request to the header of its reply, and to a connection, ms. */
  readonly answerTimeoutMs: number
  /** The longest a body in either direction may stand still, ms. */
  readonly idleTimeoutMs: number
  /** Tries of one request, the first included. */
  readonly attemptsMax: number
}

export interface TransportComponents {
  readonly env: Env
  /** undici's; without one, the transport makes its own and closes it. */
  readonly dispatcher?: Dispatcher
}

export interface WireRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Path and query, percent-encoded. */
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  /** Called once for each try. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>
  /** True when `body` can be called only once, so that the request cannot be repeated once it was. */
  readonly bodyOnce?: boolean
  /** Where the answer takes longer than usual, ms. */
  readonly answerTimeoutMs?: number
  /** The user's path, for errors. */
  readonly path?: string
  readonly signal?: AbortSignal
}

export type Reply = Dispatcher.ResponseData

/** Waits between tries: half to one and a half of 100 ms, 200 ms, 400 ms, ... so that clients do not come in step. */
const BACK_OFF_FIRST_MS = 100
/** Longer is for the caller to decide: who was told to come back in an hour gets the error. */
const BACK_OFF_MAX_MS = 10_000
/** An answer is a receipt, a status or one sentence; what is longer comes from something that is no node. */
const ANSWER_BYTES_MAX = 1024 * 1024

export class Transport {
  readonly #env: Env
  readonly #dispatcher: Dispatcher
  readonly #init: TransportInit

  constructor(components: TransportComponents, init: TransportInit) {
    this.#env = components.env
    this.#init = init
    this.#dispatcher =
      components.dispatcher ??
      new Agent({ connect: { timeout: init.answerTimeoutMs }, headersTimeout: init.answerTimeoutMs })
  }

  /**
   * What `take` makes of the reply to a request, once its header is there and says success; `take` reads or destroys
   * the body, or hands it on. When it fails, the request has failed.
   * @throws StoreError with the code of the node; UNAVAILABLE when no node answers; INDETERMINATE when a write was sent
   *   and no answer came; REQUEST_TIMEOUT; or the reason of the signal.
   */
  async send<T>(request: WireRequest, take: (reply: Reply) => T | Promise<T>): Promise<T> {
    let mayHaveHappened = false
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await take(await this.#try(request))
      } catch (cause) {
        request.signal?.throwIfAborted()
        const sent = isWrite(request) && !happenedBeforeSending(cause) && errorCode(cause) === undefined
        mayHaveHappened ||= sent
        const error = this.#toStoreError(cause, request, mayHaveHappened)
        const again = attempt < this.#init.attemptsMax && canRepeat(cause, error, request)
        const waitMs = this.#backOffMs(attempt, error.retryAfterSeconds)
        if (!again || waitMs > BACK_OFF_MAX_MS) throw error
        await this.#env.timers.sleep(waitMs, request.signal)
      }
    }
  }

  async close(): Promise<void> {
    await this.#dispatcher.close()
  }

  async #try(request: WireRequest): Promise<Reply> {
    const { origin, token, answerTimeoutMs, idleTimeoutMs } = this.#init
    const stall = new AbortController()
    const signal = request.signal ? AbortSignal.any([request.signal, stall.signal]) : stall.signal
    const body = request.body?.()
    const reply = await this.#dispatcher.request({
      origin,
      method: request.method,
      path: request.target,
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...request.headers },
      body: body === undefined || body instanceof Uint8Array ? (body ?? null) : this.#watched(body, stall),
      signal,
      headersTimeout: request.answerTimeoutMs ?? answerTimeoutMs,
      bodyTimeout: idleTimeoutMs,
    })
    if (reply.statusCode >= 200 && reply.statusCode < 300) return reply
    throw await errorOfReply(reply, request.path)
  }

  #watched(body: AsyncIterable<Uint8Array>, stall: AbortController): Readable {
    return Readable.from(this.#watch(body, stall), { objectMode: false })
  }

  /** Passes a body on, and ends the request when the node takes nothing of it for too long. */
  async *#watch(body: AsyncIterable<Uint8Array>, stall: AbortController): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      const timer = this.#env.timers.after(this.#init.idleTimeoutMs, () =>
        stall.abort(new StoreError('REQUEST_TIMEOUT', 'The node stopped taking the body.')),
      )
      try {
        yield chunk
      } finally {
        timer.cancel()
      }
    }
  }

  #toStoreError(cause: unknown, request: WireRequest, mayHaveHappened: boolean): StoreError {
    const code = errorCode(cause)
    if (code !== undefined && !(mayHaveHappened && code === 'UNAVAILABLE')) return cause as StoreError
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : codeOfSystem(cause)
    const init = { cause, ...(request.path === undefined ? {} : { path: request.path }) }
    if (mayHaveHappened) {
      const message = `${this.#init.origin} did not answer (${reason}), so whether it was done is unknown.`
      return new StoreError('INDETERMINATE', message, init)
    }
    return new StoreError('UNAVAILABLE', `No node answers at ${this.#init.origin} (${reason}).`, init)
  }

  #backOffMs(attempt: number, retryAfterSeconds: number | undefined): number {
    if (retryAfterSeconds !== undefined) return retryAfterSeconds * 1000
    const [draw = 0] = this.#env.randomness.bytes(1)
    return BACK_OFF_FIRST_MS * 2 ** (attempt - 1) * (0.5 + draw / 256)
  }
}

/** The JSON of a reply. @throws StoreError UNAVAILABLE when it is longer than 1 MiB, which no node's answer is. */
export async function jsonOf(reply: Reply): Promise<unknown> {
  return JSON.parse(await readText(limited(reply.body, ANSWER_BYTES_MAX)))
}

function isWrite(request: WireRequest): boolean {
  return request.method !== 'GET' && request.method !== 'HEAD'
}

function canRepeat(cause: unknown, error: StoreError, request: WireRequest): boolean {
  if (request.bodyOnce) return false
  const harmless = !isWrite(request) || request.headers?.['idempotency-key'] !== undefined
  const fromNode = errorCode(cause) !== undefined
  const helps = fromNode ? error.retryable || error.code === 'INDETERMINATE' : true
  return harmless && helps
}

/** True when no byte of the request can have reached a node. */
function happenedBeforeSending(cause: unknown): boolean {
  return [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'UND_ERR_CONNECT_TIMEOUT',
  ].includes(codeOfSystem(cause))
}

function codeOfSystem(cause: unknown): string {
  const { code, errors } = (cause ?? {}) as { code?: unknown; errors?: unknown[] }
  if (typeof code === 'string') return code
  // A name with several addresses fails with one error for each.
  return Array.isArray(errors) && errors.length > 0 ? codeOfSystem(errors[0]) : 'unknown failure'
}

/** The error that a node answered with. A reply that is no node's own still gets a code, by its status. */
async function errorOfReply(reply: Reply, path: string | undefined): Promise<StoreError> {
  const fields = await readErrorFields(reply)
  const code =
    typeof fields.code === 'string' && Object.hasOwn(ERROR_CODES, fields.code)
      ? (fields.code as ErrorCode)
      : codeOfStatus(reply.statusCode)
  const message =
    typeof fields.message === 'string' ? fields.message : `The node answered ${reply.statusCode}.`
  const retryAfter = Number(reply.headers['retry-after'])
  const shownPath = typeof fields.path === 'string' ? fields.path : path
  return new StoreError(code, message, {
    ...(shownPath === undefined ? {} : { path: shownPath }),
    ...(Number.isFinite(retryAfter) && retryAfter >= 0 ? { retryAfterSeconds: retryAfter } : {}),
  })
}

async function readErrorFields(reply: Reply): Promise<{ code?: unknown; message?: unknown; path?: unknown }> {
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
