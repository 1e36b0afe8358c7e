/**
 * The endpoint of a whole simulated node, as peer-routes.ts is that of a real one: what other nodes ask, and what they send of bodies.
 * A question that comes again is not answered anew.
 */
import { Readable } from 'node:stream'
import { isPeerCall, type PeerAnswer, type PeerCall, type PeerStream } from '../../calls/calls.ts'
import type { Envelope } from '../../calls/envelope.ts'
import type { Timers } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { PeerReception } from '../../peer/peer-routes.ts'
import type { PeerIdentity } from '../../peer/peers.ts'
import { PROTOCOL_VERSION } from '../../peer/protocol.ts'
import { decode, encode } from '../../peer/wire.ts'
import type { BlobId } from '../../storage/record.ts'
import { type Frame, type Question, type Reply, unavailable } from './simulated-peers.ts'
import { ArrivingPieces, LeavingPieces } from './simulated-pieces.ts'

export interface SimulatedEndpointComponents {
  readonly timers: Timers
  /** To the node whose question it is about. */
  readonly send: (to: PeerIdentity, frame: Frame) => void
  readonly self: () => PeerIdentity
  /** The program is wrong. */
  readonly broken: (error: TypeError) => void
  /** Undefined as long as the node waits for its network. */
  readonly reception: () => PeerReception<Envelope, PeerCall, PeerAnswer, PeerStream> | undefined
}

/** The longest that a body may stand still, ms of a node. */
const STALL_MS = 60_000

interface Answering {
  readonly from: PeerIdentity
  reply: Reply | undefined
  readonly gone: AbortController
  arriving?: ArrivingPieces
  leaving?: LeavingPieces
}

/** Questions remembered; one of before would be answered twice. */
const REMEMBERED_MAX = 512

export class SimulatedEndpoint {
  readonly #components: SimulatedEndpointComponents
  readonly #answering = new Map<string, Answering>()

  constructor(components: SimulatedEndpointComponents) {
    this.#components = components
  }

  knows(id: string): boolean {
    return this.#answering.has(id)
  }

  asked(question: Question): void {
    const known = this.#answering.get(question.id)
    if (known !== undefined) {
      if (known.reply !== undefined) this.#components.send(known.from, known.reply)
      return
    }
    const oldest = this.#answering.size < REMEMBERED_MAX ? undefined : this.#answering.keys().next().value
    if (oldest !== undefined) this.#answering.delete(oldest)
    const answering: Answering = { from: question.from, reply: undefined, gone: new AbortController() }
    this.#answering.set(question.id, answering)
    this.#answer(question, answering).then(
      reply => this.#reply(answering, reply),
      (error: unknown) => {
        if (error instanceof TypeError) this.#components.broken(error)
        else this.#reply(answering, refusalOf(question.id, error))
      },
    )
  }

  /** What the asking side sends of a body, has taken of one, or that it has gone. */
  arrived(frame: Exclude<Frame, Question | Reply>): void {
    const answering = this.#answering.get(frame.id)
    if (answering === undefined) return
    if (frame.kind === 'piece') return answering.arriving?.arrived(frame)
    if (frame.kind === 'taken') return answering.leaving?.taken(frame.number)
    const gone = unavailable('The peer has gone.')
    answering.gone.abort(gone)
    answering.arriving?.fail(gone)
    answering.leaving?.fail(gone)
  }

  #reply(answering: Answering, reply: Reply): void {
    answering.reply = reply
    this.#components.send(answering.from, reply)
  }

  async #answer(question: Question, answering: Answering): Promise<Reply> {
    const { id, from, node } = question
    const { reception, self } = this.#components
    const ring = reception()
    const { nodeId, address } = self()
    if (node !== undefined && node !== nodeId) {
      const there = { nodeId, address }
      return { kind: 'refusal', id, code: 'UNAVAILABLE', text: 'Another node lives here by now.', there }
    }
    if (ring === undefined && question.kind !== 'call') throw unavailable('This node waits for its network.')
    if (ring === undefined) throw new StoreError('NO_NETWORK', 'This node has no network yet.')
    if (question.kind === 'fetch') return this.#fetch(ring, question, answering)
    if (question.kind === 'stage') return this.#stage(ring, question, answering)
    const call = decode(question.bytes)
    if (!isPeerCall(call, PROTOCOL_VERSION)) throw new TypeError(`Malformed: ${JSON.stringify(call)}`)
    return { kind: 'answer', id, bytes: encode(await ring.call(from, call, answering.gone.signal)) }
  }

  async #fetch(
    ring: PeerReception<Envelope, PeerCall, PeerAnswer, PeerStream>,
    { id, from, name, first, last }: Question & { kind: 'fetch' },
    answering: Answering,
  ): Promise<Reply> {
    const body = await ring.openBody(from, name as BlobId, first, last)
    const { timers, send } = this.#components
    answering.leaving = new LeavingPieces(
      { timers, send: frame => send(from, frame) },
      { id, stallMs: STALL_MS },
    )
    const leaving = answering.leaving.send(body instanceof Uint8Array ? Readable.from([body]) : body)
    leaving.catch(() => send(from, { kind: 'gone', id }))
    return { kind: 'answer', id, bytes: encode({}) }
  }

  async #stage(
    ring: PeerReception<Envelope, PeerCall, PeerAnswer, PeerStream>,
    { id, from, name, announced }: Question & { kind: 'stage' },
    answering: Answering,
  ): Promise<Reply> {
    const { timers, send } = this.#components
    const arriving = new ArrivingPieces(
      { timers, send: frame => send(from, frame), closed: () => undefined },
      { id, stallMs: STALL_MS },
    )
    answering.arriving = arriving
    try {
      const answer = await ring.stageBody(
        from,
        name as BlobId,
        announced,
        arriving.bytes,
        answering.gone.signal,
      )
      return { kind: 'answer', id, bytes: encode(answer) }
    } finally {
      arriving.bytes.destroy()
    }
  }
}

/** An error as it crosses the wire. */
function refusalOf(id: string, error: unknown): Reply {
  return { kind: 'refusal', id, code: errorCode(error) ?? 'INTERNAL', text: (error as Error).message }
}
