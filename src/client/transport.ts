/**
 * How a request is brought to an answer: to which node after which, when it is tried again, and how what went wrong
 * becomes a StoreError.
 *
 * A request is tried again when the node says that this can help, and when the connection failed and a repetition does
 * no harm: reads, and writes under an Idempotency-Key, which the network carries out once whatever the number of tries
 * and whichever nodes they go to (docs/decisions/0056-keys-belong-to-a-path.md).
 */
import type { Env } from '../env.ts'
import { type ErrorCode, errorCode, StoreError } from '../errors.ts'
import {
  Exchange,
  type ExchangeComponents,
  type ExchangeInit,
  SourceFailure,
  type WireRequest,
} from './exchange.ts'
import { errorOfReply, type Reply } from './reply.ts'
import { type Route, Routes } from './routes.ts'

export interface TransportInit extends ExchangeInit {
  /** `http://host:port` or `https://host:port` of the node that the user named. */
  readonly origin: string
  /** Go straight to the nodes that keep a path, as far as replies name them. */
  readonly direct: boolean
  /** Tries of one request, the first included; one try goes to several nodes when the first do not answer. */
  readonly attemptsMax: number
  /** How long a node that has never answered is asked again at least, ms from when the client was made: it may be starting. */
  readonly firstContactMs: number
}

/** Waits between tries: half to one and a half of 100 ms, 200 ms, 400 ms, ... so that clients do not come in step. */
const BACK_OFF_FIRST_MS = 100
/** A node that restarts is back in a few seconds, and is not to be missed by more. */
const BACK_OFF_GROWN_MS = 5_000
/** Longer is for the caller to decide: who was told to come back in an hour gets the error. */
const BACK_OFF_MAX_MS = 10_000
/** Where nobody has ever answered, more likely nobody is than somebody restarts: a person is told after a second. */
const FIRST_CONTACT_ATTEMPTS_MAX = 4
/**
 * Answers that name the nodes without which it can't be done. The others have looked for them already, and those that restart take longer
 * than a person waits: the second such answer is told.
 */
const LACKING_ANSWERS_MAX = 2

/** One request on its way through several tries. */
interface Sending {
  readonly request: WireRequest
  /** A write reached a node that never said what became of it. */
  mayHaveHappened: boolean
  bodyBegan: boolean
  /** What the network has said that is lacking: a better last word than that one of the lacking nodes does not answer. */
  lacking: StoreError | undefined
  lackingAnswers: number
}

interface Failure {
  readonly error: StoreError
  readonly repeatable: boolean
  /** The node was not there, or there and silent, or said something; that of its own settings, or for the network. */
  readonly how: 'unanswered' | 'silent' | 'spoken' | 'own-refusal'
}

export class Transport {
  readonly #env: Env
  readonly #exchange: Exchange
  readonly #routes: Routes
  readonly #init: TransportInit
  #everAnswered = false
  readonly #beganMs: number

  constructor(components: ExchangeComponents, init: TransportInit) {
    this.#env = components.env
    this.#beganMs = components.env.clock.monotonicMs()
    this.#init = init
    this.#exchange = new Exchange(components, init)
    this.#routes = new Routes(components.env, init.origin, init.direct)
  }

  /**
   * What `take` makes of the reply to a request, once its header is there and says success; `take` reads or destroys
   * the body, or hands it on. When it fails, the request has failed.
   * @throws StoreError with the code of the node; UNAVAILABLE when no node answers; INDETERMINATE when a write was sent
   *   and no answer came; REQUEST_TIMEOUT; what the source of the body threw; or the reason of the signal.
   */
  async send<T>(request: WireRequest, take: (reply: Reply) => T | Promise<T>): Promise<T> {
    const untold = { lacking: undefined, lackingAnswers: 0 }
    const sending: Sending = { request, mayHaveHappened: false, bodyBegan: false, ...untold }
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#round(sending, take)
      if ('done' in outcome) return outcome.done
      const { error, repeatable } = outcome.failure
      const attemptsMax = this.#everAnswered
        ? this.#init.attemptsMax
        : Math.min(this.#init.attemptsMax, FIRST_CONTACT_ATTEMPTS_MAX)
      const waitMs = this.#backOffMs(attempt, error.retryAfterSeconds)
      const isLacking = sending.lackingAnswers >= LACKING_ANSWERS_MAX
      const mayStart =
        !this.#everAnswered && this.#env.clock.monotonicMs() - this.#beganMs < this.#init.firstContactMs
      const isLast = attempt >= attemptsMax && !mayStart
      if (!repeatable || isLacking || isLast || waitMs > BACK_OFF_MAX_MS)
        throw error.code === 'UNAVAILABLE' ? (sending.lacking ?? error) : error
      await this.#env.timers.sleep(waitMs, request.signal)
    }
  }

  close(): Promise<void> {
    return this.#exchange.close()
  }

  /** One node after the other, without a pause, until one answers for the whole network or none is left. */
  async #round<T>(
    sending: Sending,
    take: (reply: Reply) => T | Promise<T>,
  ): Promise<{ readonly done: T } | { readonly failure: Failure }> {
    const { request } = sending
    let failure: Failure | undefined
    let unable = 0
    for (const route of this.#routes.to(request.goal)) {
      try {
        return { done: await take(await this.#tryAt(route, sending)) }
      } catch (cause) {
        if (request.signal?.aborted) this.#routes.unknown(route)
        request.signal?.throwIfAborted()
        if (cause instanceof SourceFailure) {
          this.#routes.unknown(route)
          throw cause.cause
        }
        failure = this.#judge(cause, route, sending)
        if (failure.how !== 'spoken') this.#routes.failed(route)
        if (failure.how === 'spoken' || failure.how === 'silent') unable += 1
        // A second node that can't now either speaks for the network.
        if (!failure.repeatable || unable > 1) break
      }
    }
    if (failure === undefined) throw new TypeError('A request has at least one node to go to.')
    return { failure }
  }

  async #tryAt(route: Route, sending: Sending): Promise<Reply> {
    const { request } = sending
    const reply = await this.#exchange.try(request, route, () => {
      sending.bodyBegan = true
    })
    const { statusCode, headers } = reply
    this.#everAnswered = true
    // Who does not let us in may be anybody, and teaches nothing.
    this.#routes.answered(route, statusCode === 401 || statusCode === 403 ? {} : headers)
    if (statusCode >= 200 && statusCode < 300) return reply
    throw await errorOfReply(reply, request.path)
  }

  #judge(cause: unknown, route: Route, sending: Sending): Failure {
    const { request } = sending
    const code = errorCode(cause)
    const unsent = neverLeft(cause)
    sending.mayHaveHappened ||= isWrite(request) && !unsent && code === undefined
    const error = this.#toStoreError(cause, route, sending)
    if (error.missing !== undefined) {
      sending.lacking = error
      sending.lackingAnswers += 1
    }
    const how = howOf(cause, code, route)
    const hasKey = request.headers?.['idempotency-key'] !== undefined
    const harmless = !isWrite(request) || hasKey || (unsent && !sending.mayHaveHappened)
    const bodyGone = request.bodyOnce === true && (sending.bodyBegan || !unsent)
    const helps = how !== 'spoken' || error.retryable || error.code === 'INDETERMINATE'
    return { error, how, repeatable: harmless && !bodyGone && helps }
  }

  #toStoreError(cause: unknown, { origin }: Route, { request, mayHaveHappened }: Sending): StoreError {
    const code = errorCode(cause)
    if (code !== undefined && !(mayHaveHappened && code === 'UNAVAILABLE')) return cause as StoreError
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : codeOfSystem(cause)
    const init = { cause, ...(request.path === undefined ? {} : { path: request.path }) }
    if (mayHaveHappened) {
      const message = `${origin} did not answer (${reason}), so whether it was done is unknown.`
      return new StoreError('INDETERMINATE', message, init)
    }
    if (certificateCode.test(codeOfSystem(cause)))
      return new StoreError('UNAVAILABLE', `The certificate of ${origin} is not trusted (${reason}).`, init)
    if (origin.startsWith('https:') && noTlsCode.test(codeOfSystem(cause)))
      return new StoreError('UNAVAILABLE', `What answers at ${origin} speaks no TLS; try http.`, init)
    return new StoreError('UNAVAILABLE', `No node answers at ${origin} (${reason}).`, init)
  }

  #backOffMs(attempt: number, retryAfterSeconds: number | undefined): number {
    if (retryAfterSeconds !== undefined) return retryAfterSeconds * 1000
    const [draw = 0] = this.#env.randomness.bytes(1)
    return Math.min(BACK_OFF_GROWN_MS, BACK_OFF_FIRST_MS * 2 ** (attempt - 1)) * (0.5 + draw / 256)
  }
}

/**
 * What a node refuses by its own settings, which another may not have: the node that the user named decides. With
 * WRONG_NETWORK another network's node has the address by now.
 */
const OWN_REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAUTHORIZED',
  'FORBIDDEN',
  'WRONG_NETWORK',
  'NO_NETWORK',
  'ROUTE_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'FILE_TOO_LARGE',
  'TYPE_NOT_ALLOWED',
  'HEADERS_TOO_LARGE',
])

function howOf(cause: unknown, code: ErrorCode | undefined, { named }: Route): Failure['how'] {
  if (code !== undefined) return !named && OWN_REFUSALS.has(code) ? 'own-refusal' : 'spoken'
  return codeOfSystem(cause) === 'UND_ERR_HEADERS_TIMEOUT' ? 'silent' : 'unanswered'
}

function isWrite(request: WireRequest): boolean {
  return request.method !== 'GET' && request.method !== 'HEAD'
}

/** OpenSSL's words for an answer that is no TLS: plain HTTP, say. */
const noTlsCode = /^(?:ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|EPROTO)$/

const certificateCode = /^(?:ERR_TLS_CERT_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/** True when no byte of the request can have reached a node: there was no connection, or no trust in who is at its end. */
function neverLeft(cause: unknown): boolean {
  const code = codeOfSystem(cause)
  return (
    [
      'ECONNREFUSED',
      'ENOTFOUND',
      'EAI_AGAIN',
      'EHOSTUNREACH',
      'ENETUNREACH',
      'EADDRNOTAVAIL',
      'UND_ERR_CONNECT_TIMEOUT',
    ].includes(code) ||
    code.startsWith('ERR_SSL_') ||
    certificateCode.test(code)
  )
}

function codeOfSystem(cause: unknown): string {
  const { code, errors } = (cause ?? {}) as { code?: unknown; errors?: unknown[] }
  if (typeof code === 'string') return code
  // A name with several addresses fails with one error for each.
  return Array.isArray(errors) && errors.length > 0 ? codeOfSystem(errors[0]) : 'unknown failure'
}
