/**
 * One request to one node: its connection, its headers and its deadlines. Whether it is tried again, and where, is
 * decided in transport.ts.
 */
import { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'
import { eitherSignal } from '../either-signal.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { CallOptions } from './call-options.ts'
import type { Reply } from './reply.ts'
import type { Goal, Route } from './routes.ts'

export interface ExchangeInit {
  readonly token: string | undefined
  /** From the end of a request to the header of its reply, and to a connection, ms. */
  readonly answerTimeoutMs: number
  /** The longest a body in either direction may stand still, ms. */
  readonly idleTimeoutMs: number
}

export interface ExchangeComponents {
  readonly env: Env
  /** undici's, for all nodes; without one, the exchange makes its own and closes it. */
  readonly dispatcher?: Dispatcher
}

export interface WireRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Path and query, percent-encoded. */
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  /** Called once for each try. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>
  /** True when the bytes of `body` can be had only once, so that the request cannot be repeated once they went out. */
  readonly bodyOnce?: boolean
  /** Where the answer takes longer than usual, ms. */
  readonly answerTimeoutMs?: number
  /** A node that is well answers at once: nothing is copied, and the body is small. */
  readonly quick?: boolean
  /** Where it may go; without one, only to the node that the user named. */
  readonly goal?: Goal
  /** The user's path, for errors. */
  readonly path?: string
  readonly signal?: AbortSignal
}

/** To a node that only other nodes have named, ms: across an ocean and back three times, and short for a person. */
const LEARNED_CONNECT_TIMEOUT_MS = 1_000

/** Until another node is asked instead of one that is silent, ms: longer than a change of who answers for a range. */
const QUICK_ANSWER_TIMEOUT_MS = 5_000

export class Exchange {
  readonly #env: Env
  readonly #init: ExchangeInit
  readonly #toNamed: Dispatcher
  readonly #toLearned: Dispatcher

  constructor({ env, dispatcher }: ExchangeComponents, init: ExchangeInit) {
    this.#env = env
    this.#init = init
    const { answerTimeoutMs } = init
    this.#toNamed = dispatcher ?? new Agent({ connect: { timeout: answerTimeoutMs } })
    const timeout = Math.min(LEARNED_CONNECT_TIMEOUT_MS, answerTimeoutMs)
    this.#toLearned = dispatcher ?? new Agent({ connect: { timeout } })
  }

  /** The reply, whatever it says, once its header is there. `began` is called when the first of the body is taken. */
  async try(request: WireRequest, route: Route, began: () => void): Promise<Reply> {
    const { token, idleTimeoutMs } = this.#init
    const body = request.body?.()
    const isStream = body !== undefined && !(body instanceof Uint8Array)
    // Nobody watches bytes that are there: they need no signal of their own.
    const stall = isStream ? new AbortController() : undefined
    const [first, ...others] = [request.signal, stall?.signal].filter(signal => signal !== undefined)
    const signal = first && eitherSignal([first, ...others])
    const dispatcher = route.named ? this.#toNamed : this.#toLearned
    const source: Source = {}
    const answer = dispatcher.request({
      origin: route.origin,
      method: request.method,
      path: request.target,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...route.headers,
        ...request.headers,
      },
      body:
        isStream && stall !== undefined
          ? Readable.from(this.#watch(body, stall, began, source), { objectMode: false })
          : ((body as Uint8Array | undefined) ?? null),
      ...(signal !== undefined && { signal }),
      headersTimeout: this.#answerTimeoutMs(request, route),
      bodyTimeout: idleTimeoutMs,
    })
    return answer.then(
      reply => {
        if (signal !== undefined) reply.body.once('close', () => signal.clear())
        return reply
      },
      error => {
        signal?.clear()
        throw source.failure ?? error
      },
    )
  }

  async close(): Promise<void> {
    await Promise.all([this.#toNamed.close(), this.#toLearned === this.#toNamed || this.#toLearned.close()])
  }

  #answerTimeoutMs(request: WireRequest, route: Route): number {
    const usual = request.answerTimeoutMs ?? this.#init.answerTimeoutMs
    return request.quick && route.others ? Math.min(usual, QUICK_ANSWER_TIMEOUT_MS) : usual
  }

  /** Passes a body on, and ends the request when the node takes nothing of it for too long. */
  async *#watch(
    body: AsyncIterable<Uint8Array>,
    stall: AbortController,
    began: () => void,
    source: Source,
  ): AsyncGenerator<Uint8Array> {
    began()
    let isReading = true
    try {
      for await (const chunk of body) {
        isReading = false
        const timer = this.#env.timers.after(this.#init.idleTimeoutMs, () =>
          stall.abort(new StoreError('REQUEST_TIMEOUT', 'The node stopped taking the body.')),
        )
        try {
          yield chunk
        } finally {
          timer.cancel()
        }
        isReading = true
      }
    } catch (error) {
      if (isReading) source.failure = new SourceFailure(error)
      throw error
    }
  }
}

/** What became of the bytes that are sent, on this side. */
interface Source {
  failure?: SourceFailure
}

/** The body could not be read where it comes from. No node has all of it, and none is to blame. */
export class SourceFailure extends Error {
  constructor(cause: unknown) {
    super('The body could not be read.', { cause })
  }
}

/**
 * The bytes of a body that was announced as `size` bytes, the last of them only once it is clear that there are no more: a
 * node that has them all stores them.
 * @throws StoreError INVALID_REQUEST when there are more or fewer.
 */
export async function* exactly(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  let held: Uint8Array | undefined
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > size) throw changed(`more than the ${size} bytes`)
    if (held !== undefined) yield held
    held = chunk
  }
  if (bytes < size) throw changed(`${bytes} of the ${size} bytes`)
  if (held !== undefined) yield held
}

function changed(what: string): StoreError {
  return new StoreError(
    'INVALID_REQUEST',
    `The body has ${what} that were announced; it changed while it was read.`,
  )
}

/** The field `signal` of a request, when there is one. */
export function signalOf(options: CallOptions): { readonly signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal }
}
