/**
 * One small request to another node and its whole answer: undici's dispatch without the stream that its request()
 * puts around the answer, which costs as much again.
 */
import type { Dispatcher } from 'undici'
import { StoreError } from '../errors.ts'
import { MESSAGE_BYTES_MAX } from './wire.ts'

export interface Question {
  readonly method: 'POST'
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Uint8Array
  /** From the sending until the header of the answer, and between two pieces of its body, ms. */
  readonly timeoutMs: number
}

export interface WholeAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** @throws StoreError INVALID_REQUEST for an answer above MESSAGE_BYTES_MAX; what undici says of the connection. */
export function exchange(dispatcher: Dispatcher, question: Question): Promise<WholeAnswer> {
  const { method, path, headers, body, timeoutMs } = question
  return new Promise((resolve, reject) => {
    const handler = new AnswerHandler(resolve, reject)
    const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }
    dispatcher.dispatch({ method, path, headers, body, ...timeouts }, handler)
  })
}

class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: WholeAnswer) => void
  readonly #reject: (error: Error) => void
  #status = 0
  #headers: WholeAnswer['headers'] = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(resolve: (answer: WholeAnswer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  onRequestStart(): void {}

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: WholeAnswer['headers'],
  ): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    this.#chunks.push(chunk)
    if (this.#bytes > MESSAGE_BYTES_MAX)
      controller.abort(new StoreError('INVALID_REQUEST', 'The answer of a peer is too large.'))
  }

  onResponseEnd(): void {
    const [first] = this.#chunks
    const body = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
    this.#resolve({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error)
  }
}
