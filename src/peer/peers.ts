/**
 * The port through which a node speaks to the others. http-peers.ts speaks HTTP; the simulator has its own.
 *
 * Three ways, because they cost differently: `send` is one-way and may share one request with everything else that
 * waits for the same peer; `call` is one request with one answer; bodies are streams of their own.
 */
import type { Readable } from 'node:stream'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { Boot } from '../views/view.ts'

/** A node as it names itself in every message: the identity of its disk, and how often that disk was started. */
export interface PeerIdentity {
  readonly address: Address
  /** Of the data directory. */
  readonly nodeId: NodeId
  /** Which start of it speaks; a message of an earlier start is recognizable. */
  readonly boot: Boot
}

/** Why a peer did not answer: it refused the connection (nothing listens), or it stayed silent past the deadline. */
export type Unreachable = 'refused' | 'silent'

export interface CallOptions {
  /** From now until the answer is complete, ms. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Who is meant: another disk that has taken over the address refuses. Without, whoever is there answers. */
  readonly node?: NodeId
}

/**
 * How a body is announced: by its SHA-256, or, as long as its sender does not have all of it, as one that carries its
 * hash at its end (sealed-body.ts) and that goes on to the first of `onward` while it comes in.
 */
export type BodyAnnouncement = { readonly sha256: string } | { readonly onward: readonly NodeId[] }

export interface StageOptions {
  /** From the last byte that was sent until the answer, ms. */
  readonly timeoutMs: number
  /** The longest that the peer may take no piece of the body, ms. */
  readonly stallMs: number
  readonly signal?: AbortSignal
  /** See CallOptions. */
  readonly node?: NodeId
}

export interface Peers<Message, Call, Answer, Stream = never> {
  /**
   * Queues a message; never throws, never waits. Messages to one peer stay in order while it is reachable; one that
   * can't be delivered is dropped and reported through `unreachable`. The protocol repeats what matters.
   */
  send(to: Address, message: Message): void

  /**
   * @throws StoreError UNAVAILABLE when the peer does not answer in time, PROTOCOL_UNSUPPORTED at once when its program is
   *   too old for the call, else the code that the peer answered.
   */
  call(to: Address, call: Call, options: CallOptions): Promise<Answer>

  /**
   * The words of an answer that comes piece by piece; the peer waits while nobody takes them. `timeoutMs` is the longest
   * between two words.
   * @throws StoreError UNAVAILABLE when the peer falls silent or breaks off, else the code that the peer answered.
   */
  stream(to: Address, call: Stream, options: CallOptions): AsyncIterable<unknown>

  /**
   * The bytes that a peer keeps under `name` (a blob or a path version), from byte `first` on. An older peer sends those beyond
   * `last`, too.
   */
  fetchBody(
    from: Address,
    name: string,
    first: number,
    options: CallOptions & { readonly last?: number | undefined },
  ): Promise<Readable>

  /**
   * Streams a body into the staging of a peer, with back-pressure; resolves with what the peer says of it.
   * @throws StoreError UNAVAILABLE when the peer takes no more or does not answer, else the code that it answered.
   */
  stageBody(
    to: Address,
    name: string,
    announced: BodyAnnouncement,
    body: AsyncIterable<Uint8Array>,
    options: StageOptions,
  ): Promise<Answer>

  close(): Promise<void>
}
