/**
 * How a whole simulated node asks others: the port of src/peer/peers.ts over the simulated network. What is asked is sent again
 * until it is answered, as a connection does it, and may be late, cut off or come to another node than was meant. It travels as bytes.
 */
import { setMaxListeners } from 'node:events'
import type { Readable } from 'node:stream'
import type { PeerAnswer, PeerCall } from '../../calls/calls.ts'
import type { Envelope } from '../../calls/envelope.ts'
import type { RingPeers, RingPeersInit } from '../../calls/ring-peers.ts'
import type { Env, Timer } from '../../env.ts'
import { type ErrorCode, StoreError } from '../../errors.ts'
import type { Whereabouts } from '../../peer/peer-requests.ts'
import type { BodyAnnouncement, CallOptions, PeerIdentity, StageOptions } from '../../peer/peers.ts'
import { decode, encode } from '../../peer/wire.ts'
import type { Address, NodeId } from '../../ring/identifier.ts'
import { ArrivingPieces, LeavingPieces, type Piece, type Taken } from './simulated-pieces.ts'

/** What begins an exchange, and who is asked for what. */
type Asked =
  | { readonly kind: 'call'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'fetch'
      readonly name: string
      readonly first: number
      readonly last: number | undefined
    }
  | { readonly kind: 'stage'; readonly name: string; readonly announced: BodyAnnouncement }

export type Question = {
  readonly id: string
  readonly from: PeerIdentity
  readonly node: NodeId | undefined
} & Asked

export type Reply =
  | { readonly kind: 'answer'; readonly id: string; readonly bytes: Uint8Array }
  | {
      readonly kind: 'refusal'
      readonly id: string
      readonly code: ErrorCode
      readonly text: string
      /** Another node lives there than was meant. */
      readonly there?: Whereabouts
    }

/** What two nodes exchange beside the messages of replication. `gone`: the other side waits no more, or has broken off. */
export type Frame = Question | Reply | Piece | Taken | { readonly kind: 'gone'; readonly id: string }

/** The network as one start of a node has it. What `answers` goes back to where it was asked. */
export interface SimulatedWire {
  message(to: Address, envelope: Envelope, from: PeerIdentity, answers: boolean): void
  frame(to: Address, frame: Frame, answers: boolean): void
}

export interface SimulatedPeersInit
  extends Pick<RingPeersInit, 'unreachable' | 'messages' | 'replaced' | 'took'> {
  readonly identity: () => PeerIdentity
  /** Of this start of the node: what is answered to another one is nobody's. */
  readonly name: string
}

/** Until a question that was not answered is sent again, ms of a node. */
const AGAIN_MS = 400

/** Messages count as lost when they have waited for so long, ms of a node (http-peers.ts). */
const DELIVERY_TIMEOUT_MS = 5_000

/** Messages under way to one node: since when, and when the last of them was given, ms. */
interface Batch {
  readonly sinceMs: number
  lastMs: number
}

interface Exchange {
  readonly to: Address
  readonly answered: (bytes: Uint8Array) => void
  readonly failed: (error: StoreError) => void
  readonly arriving?: ArrivingPieces
  leaving?: LeavingPieces
}

export class SimulatedPeers implements RingPeers {
  readonly #env: Env
  readonly #wire: SimulatedWire
  readonly #init: SimulatedPeersInit
  readonly #exchanges = new Map<string, Exchange>()
  /** Since when messages to a node have not been taken. */
  readonly #underWay = new Map<Address, Batch>()
  #count = 0
  #closed = false

  constructor(components: { readonly env: Env; readonly wire: SimulatedWire }, init: SimulatedPeersInit) {
    this.#env = components.env
    this.#wire = components.wire
    this.#init = init
  }

  send(to: Address, message: Envelope): void {
    if (this.#closed) return
    const nowMs = this.#env.clock.monotonicMs()
    const underWay = this.#underWay.get(to)
    if (underWay === undefined) this.#begin(to, { sinceMs: nowMs, lastMs: nowMs })
    else underWay.lastMs = nowMs
    this.#wire.message(to, message, this.#init.identity(), false)
  }

  #begin(to: Address, batch: Batch): void {
    this.#underWay.set(to, batch)
    this.#env.timers.after(DELIVERY_TIMEOUT_MS, () => {
      if (this.#closed || this.#underWay.get(to) !== batch) return
      this.#underWay.delete(to)
      this.#init.unreachable(to, 'silent')
      const { lastMs } = batch
      // What was given to the outbox meanwhile goes next (outbox.ts).
      if (lastMs > batch.sinceMs) this.#begin(to, { sinceMs: this.#env.clock.monotonicMs(), lastMs })
    })
  }

  waitsMs(to: Address): number {
    const batch = this.#underWay.get(to)
    return batch === undefined ? 0 : this.#env.clock.monotonicMs() - batch.sinceMs
  }

  /** Messages have come on the answer to those of this node. */
  heard(from: PeerIdentity, messages: readonly Envelope[]): void {
    if (!this.#closed) this.#init.messages(from, messages)
  }

  /** The node at that address has taken a message. */
  took(to: Address): void {
    const underWay = this.#underWay.get(to)
    if (underWay === undefined) return
    this.#underWay.delete(to)
    this.#init.took?.(to, 2 * (this.#env.clock.monotonicMs() - underWay.sinceMs))
  }

  /** Nothing listens at that address. */
  refused(to: Address): void {
    if (this.#closed) return
    this.#underWay.delete(to)
    for (const exchange of [...this.#exchanges.values()])
      if (exchange.to === to) exchange.failed(unavailable(`The node ${to} refuses.`))
    this.#init.unreachable(to, 'refused')
  }

  async call(to: Address, call: PeerCall, options: CallOptions): Promise<PeerAnswer> {
    const bytes = await this.#ask(to, { kind: 'call', bytes: encode(call) }, options)
    return decode(bytes) as PeerAnswer
  }

  // biome-ignore lint/correctness/useYield: nothing in a simulated world streams words.
  async *stream(): AsyncGenerator<unknown> {
    throw new TypeError('Nothing in a simulated world streams words.')
  }

  fetchBody(
    from: Address,
    name: string,
    first: number,
    options: CallOptions & { readonly last?: number | undefined },
  ): Promise<Readable> {
    const { last, timeoutMs } = options
    const id = this.#newId()
    const arriving = new ArrivingPieces(
      {
        timers: this.#env.timers,
        send: frame => this.#frame(from, frame),
        closed: isWhole => this.#end(id, !isWhole),
      },
      { id, stallMs: timeoutMs },
    )
    const { signal } = options
    const onAbort = () => arriving.fail(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    arriving.bytes.once('close', () => signal?.removeEventListener('abort', onAbort))
    const question = { kind: 'fetch', name, first, last } as const
    return this.#ask(from, question, options, { id, arriving }).then(
      () => arriving.bytes,
      error => {
        arriving.bytes.destroy()
        throw error
      },
    )
  }

  async stageBody(
    to: Address,
    name: string,
    announced: BodyAnnouncement,
    body: AsyncIterable<Uint8Array>,
    options: StageOptions,
  ): Promise<PeerAnswer> {
    const id = this.#newId()
    const { timers } = this.#env
    const leaving = new LeavingPieces(
      { timers, send: frame => this.#frame(to, frame) },
      { id, stallMs: options.stallMs },
    )
    const sent = leaving.send(body)
    // It fails with the exchange, or ends it.
    sent.catch((error: StoreError) => this.#exchanges.get(id)?.failed(error))
    const question = { kind: 'stage', name, announced } as const
    try {
      return decode(await this.#ask(to, question, options, { id, leaving })) as PeerAnswer
    } finally {
      leaving.fail(unavailable('The exchange has ended.'))
    }
  }

  /** What another node answers, or sends of a body. */
  arrived(frame: Exclude<Frame, Question>): void {
    const exchange = this.#exchanges.get(frame.id)
    if (exchange === undefined) return
    switch (frame.kind) {
      case 'answer':
        return exchange.answered(frame.bytes)
      case 'refusal':
        if (frame.there !== undefined) this.#init.replaced?.(frame.there)
        return exchange.failed(new StoreError(frame.code, frame.text))
      case 'piece':
        return exchange.arriving?.arrived(frame)
      case 'taken':
        return exchange.leaving?.taken(frame.number)
      case 'gone':
        return exchange.failed(unavailable('The other node has broken off.'))
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const exchange of [...this.#exchanges.values()])
      exchange.failed(unavailable('The node is stopping.'))
  }

  /** The process has ended: nobody waits any more. */
  forget(): void {
    this.#closed = true
    this.#exchanges.clear()
  }

  #newId(): string {
    return `${this.#init.name}/${++this.#count}`
  }

  #frame(to: Address, frame: Frame): void {
    if (!this.#closed) this.#wire.frame(to, frame, false)
  }

  #end(id: string, tells: boolean): void {
    const exchange = this.#exchanges.get(id)
    if (exchange === undefined) return
    this.#exchanges.delete(id)
    if (tells) this.#frame(exchange.to, { kind: 'gone', id })
  }

  /** Resolves with the answer; of a body that is fetched, when it begins to come. */
  async #ask(
    to: Address,
    asked: Asked,
    { timeoutMs, signal, node }: CallOptions,
    parts: { id: string; arriving?: ArrivingPieces; leaving?: LeavingPieces } = { id: this.#newId() },
  ): Promise<Uint8Array> {
    signal?.throwIfAborted()
    // Many wait for the same one: that this node stops.
    if (signal !== undefined) setMaxListeners(0, signal)
    if (this.#closed) throw unavailable('The node is stopping.')
    const { id, arriving } = parts
    const { timers } = this.#env
    const question: Question = { ...asked, id, from: this.#init.identity(), node }
    let again: Timer | undefined
    const put = () => {
      again = timers.after(AGAIN_MS, put)
      this.#frame(to, question)
    }
    const late = timers.after(timeoutMs, () => {
      this.#exchanges.get(id)?.failed(unavailable(`The node ${to} did not answer in time.`))
      this.#init.unreachable(to, 'silent')
    })
    let isAnswered = false
    const onAbort = () => this.#exchanges.get(id)?.failed(signal?.reason)
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        const failed = (error: StoreError) => {
          arriving?.fail(error)
          parts.leaving?.fail(error)
          reject(error)
        }
        this.#exchanges.set(id, { to, answered: resolve, failed, ...parts })
        signal?.addEventListener('abort', onAbort, { once: true })
        put()
      }).then(bytes => {
        isAnswered = true
        return bytes
      })
    } finally {
      again?.cancel()
      late.cancel()
      signal?.removeEventListener('abort', onAbort)
      // What comes in goes on after the answer.
      if (!isAnswered || arriving === undefined) this.#end(id, !isAnswered)
    }
  }
}

export function unavailable(message: string): StoreError {
  return new StoreError('UNAVAILABLE', message)
}
