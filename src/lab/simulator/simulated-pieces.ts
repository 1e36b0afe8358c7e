/**
 * A body on its way between two simulated nodes: piece by piece, each sent again until it was taken, as a connection does it. It
 * breaks off when nothing is taken for too long, or when one side ends it.
 */
import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import type { Timer, Timers } from '../../env.ts'
import { StoreError } from '../../errors.ts'
import { orAborted } from './simulated-bodies.ts'

/** One piece, or the end of a body. */
export interface Piece {
  readonly kind: 'piece'
  readonly id: string
  readonly number: number
  readonly bytes: Uint8Array | undefined
}

/** A piece was taken. */
export interface Taken {
  readonly kind: 'taken'
  readonly id: string
  readonly number: number
}

/** Until a piece that was not taken is sent again, ms of a node. */
const AGAIN_MS = 400

export interface PiecesInit {
  readonly id: string
  /** The longest that nothing may happen, ms of a node. */
  readonly stallMs: number
}

export class LeavingPieces {
  readonly #timers: Timers
  readonly #send: (frame: Piece) => void
  readonly #init: PiecesInit
  readonly #ending = new AbortController()
  #waiting: { readonly number: number; readonly taken: () => void } | undefined

  constructor(
    components: { readonly timers: Timers; readonly send: (frame: Piece) => void },
    init: PiecesInit,
  ) {
    this.#timers = components.timers
    this.#send = components.send
    this.#init = init
  }

  /** Resolves when all was taken. @throws an error of `body`, or why it broke off. */
  async send(body: AsyncIterable<Uint8Array>): Promise<void> {
    const { signal } = this.#ending
    const pieces = body[Symbol.asyncIterator]()
    try {
      for (let number = 0; ; number++) {
        const { value, done } = await orAborted(pieces.next(), signal)
        await orAborted(this.#put(number, done ? undefined : Buffer.from(value)), signal)
        if (done) return
      }
    } catch (error) {
      pieces.return?.()?.catch(() => undefined)
      throw error
    } finally {
      this.#waiting = undefined
    }
  }

  taken(number: number): void {
    if (this.#waiting?.number === number) this.#waiting.taken()
  }

  fail(error: unknown): void {
    this.#ending.abort(error)
  }

  #put(number: number, bytes: Uint8Array | undefined): Promise<void> {
    const { id, stallMs } = this.#init
    let again: Timer | undefined
    const put = () => {
      again = this.#timers.after(AGAIN_MS, put)
      this.#send({ kind: 'piece', id, number, bytes })
    }
    const stalled = this.#timers.after(stallMs, () => this.fail(silent()))
    const end = () => {
      again?.cancel()
      stalled.cancel()
    }
    this.#ending.signal.addEventListener('abort', end)
    return new Promise(resolve => {
      this.#waiting = {
        number,
        taken: () => {
          end()
          this.#ending.signal.removeEventListener('abort', end)
          resolve()
        },
      }
      put()
    })
  }
}

export class ArrivingPieces {
  readonly bytes: Readable
  readonly #components: {
    readonly timers: Timers
    readonly send: (frame: Taken) => void
    readonly closed: (isWhole: boolean) => void
  }
  readonly #init: PiecesInit
  readonly #ending = new AbortController()
  #next = 0
  #here: Piece | undefined
  #arrive: (() => void) | undefined
  #ended = false

  /** `closed`: nobody takes any more of it, be it that all has come. */
  constructor(
    components: {
      readonly timers: Timers
      readonly send: (frame: Taken) => void
      readonly closed: (isWhole: boolean) => void
    },
    init: PiecesInit,
  ) {
    this.#components = components
    this.#init = init
    this.bytes = Readable.from(this.#pieces(), { objectMode: false, highWaterMark: 1 })
    // Whoever reads it meets the error; where nobody does, it shall not end the run.
    this.bytes.on('error', () => undefined)
    this.bytes.once('close', () => this.#components.closed(this.#ended))
  }

  arrived(piece: Piece): void {
    if (piece.number < this.#next) this.#take(piece.number)
    else if (piece.number === this.#next && this.#here === undefined) {
      this.#here = piece
      this.#arrive?.()
    }
  }

  fail(error: unknown): void {
    this.#ending.abort(error)
  }

  #take(number: number): void {
    this.#components.send({ kind: 'taken', id: this.#init.id, number })
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    const { signal } = this.#ending
    for (;;) {
      if (this.#here === undefined) {
        const stalled = this.#components.timers.after(this.#init.stallMs, () => this.fail(silent()))
        const arrival = new Promise<void>(arrive => {
          this.#arrive = arrive
        })
        await orAborted(arrival, signal).finally(() => stalled.cancel())
      }
      const { bytes } = this.#here as unknown as Piece
      this.#here = undefined
      this.#take(this.#next++)
      if (bytes === undefined) {
        this.#ended = true
        return
      }
      yield bytes
    }
  }
}

function silent(): StoreError {
  return new StoreError('UNAVAILABLE', 'A body stands still on its way.')
}
