/**
 * Small pairs that spread by gossip, as a client sees them. They are hints that go with their time: the node that is asked has
 * them at once, and the others after some rounds.
 */
import { StoreError } from '../errors.ts'
import type { CallOptions } from './call-options.ts'
import type { WireRequest } from './exchange.ts'
import { jsonOf, type Reply } from './reply.ts'
import type { SpreadPair } from './wire-types.ts'

export interface SpreadOptions extends CallOptions {
  /** Until the pair goes, seconds, 1 to 86,400; without it that of the node's settings. */
  readonly ttl?: number | undefined
}

export interface SpreadPairsComponents {
  send<T>(options: CallOptions, request: WireRequest, take: (reply: Reply) => Promise<T>): Promise<T>
}

export class SpreadPairs {
  readonly #components: SpreadPairsComponents

  constructor(components: SpreadPairsComponents) {
    this.#components = components
  }

  /**
   * Tells a node a pair, in place of the one that the key had.
   * @throws StoreError INVALID_REQUEST (gossip is switched off there, a key of more than 64 bytes, a TTL out of bounds),
   *   FILE_TOO_LARGE (a value of more than 512 bytes), OVERLOADED (256 pairs are there already), and those of every call.
   */
  async set(key: string, value: string, options: SpreadOptions = {}): Promise<SpreadPair> {
    const query = options.ttl === undefined ? '' : `?ttl=${options.ttl}`
    const body = Buffer.from(value)
    const headers = { 'content-type': 'text/plain; charset=utf-8' }
    const request: WireRequest = { method: 'PUT', target: targetOf(key) + query, headers, body: () => body }
    return (await this.#components.send(options, request, jsonOf)) as SpreadPair
  }

  /** A pair as the node has heard it. @throws StoreError FILE_NOT_FOUND, INVALID_REQUEST, and those of every call. */
  async get(key: string, options: CallOptions = {}): Promise<SpreadPair> {
    return (await this.#components.send(
      options,
      { method: 'GET', target: targetOf(key) },
      jsonOf,
    )) as SpreadPair
  }

  /** All pairs that the node has heard, in the order of their keys. @throws StoreError INVALID_REQUEST, and those of every call. */
  async list(options: CallOptions = {}): Promise<readonly SpreadPair[]> {
    const answer = await this.#components.send(options, { method: 'GET', target: '/gossip' }, jsonOf)
    return (answer as { readonly pairs: readonly SpreadPair[] }).pairs
  }
}

function targetOf(key: string): string {
  if (key.isWellFormed()) return `/gossip/${encodeURIComponent(key)}`
  throw new StoreError('INVALID_REQUEST', 'This key is refused: it is not valid Unicode.')
}
