/**
 * Key-value pairs as a client sees them: any JSON value under a key, as typed calls.
 */
import { StoreError } from '../errors.ts'
import type { CallOptions } from './call-options.ts'
import type { WireRequest } from './exchange.ts'
import { linesOf } from './json-lines.ts'
import { jsonOf, type Reply } from './reply.ts'
import type { InsertAnswer, Pair } from './wire-types.ts'

/** A string, or any other JSON value, which then stands for its JSON text: `7` and `'7'` are one key. */
export type PairKey = string | number | boolean | null | object

export interface PairWriteOptions extends CallOptions {
  /** Makes repetitions of one write happen once; by default a new one for each call. */
  readonly idempotencyKey?: string
}

/** How the calls reach the store; a write is sent under its Idempotency-Key. */
export interface PairCalls {
  read<T>(options: CallOptions, request: WireRequest, take: (reply: Reply) => T | Promise<T>): Promise<T>
  write<T>(options: PairWriteOptions, request: WireRequest, take: (reply: Reply) => Promise<T>): Promise<T>
}

/** Characters of one line of all pairs: a value of 256 KiB, its key and their names. */
const PAIR_LINE_LENGTH_MAX = 512 * 1024

export class Pairs {
  readonly #calls: PairCalls

  constructor(calls: PairCalls) {
    this.#calls = calls
  }

  /**
   * Stores a pair, in place of the one that the key had.
   * @throws StoreError INVALID_REQUEST (an empty key, one of more than 256 bytes, a value that JSON can't say),
   *   FILE_TOO_LARGE (more than 256 KiB of JSON text), DISK_FULL, and those of every call.
   */
  insert(key: PairKey, value: unknown, options: PairWriteOptions = {}): Promise<InsertAnswer> {
    const json = JSON.stringify(value) as string | undefined
    if (json === undefined) throw new StoreError('INVALID_REQUEST', 'This value has no JSON text.')
    return this.insertJson(key, json, options)
  }

  /** The same, with the value as JSON text: its numbers keep all their digits. @throws as insert. */
  async insertJson(key: PairKey, json: string, options: PairWriteOptions = {}): Promise<InsertAnswer> {
    try {
      // Checked here, so that no text can end the value and go on with something else.
      JSON.parse(json)
    } catch (cause) {
      throw new StoreError('INVALID_REQUEST', 'The value is not JSON.', { cause })
    }
    const body = Buffer.from(`{"key":${JSON.stringify(textOf(key))},"value":${json}}`)
    const headers = { 'content-type': 'application/json' }
    const request: WireRequest = { method: 'POST', target: '/kv', headers, body: () => body, goal: 'any' }
    return (await this.#calls.write(options, request, jsonOf)) as InsertAnswer
  }

  /**
   * The value of a key, with numbers as JavaScript has them.
   * @throws StoreError FILE_NOT_FOUND when the key has no pair, INVALID_REQUEST, CORRUPT, and those of every call.
   */
  async query(key: PairKey, options: CallOptions = {}): Promise<unknown> {
    const answer = await this.#calls.read(
      options,
      { method: 'GET', target: targetOf(key), goal: 'any' },
      jsonOf,
    )
    return (answer as Pair).value
  }

  /** Removes a pair. @throws StoreError FILE_NOT_FOUND when the key has none, and those of every call. */
  async delete(key: PairKey, options: PairWriteOptions = {}): Promise<void> {
    await this.#calls.write(options, { method: 'DELETE', target: targetOf(key), goal: 'any' }, jsonOf)
  }

  /**
   * All pairs as they come in, sorted by the bytes of their paths. A live view: pairs may come and go meanwhile.
   * @throws StoreError UNAVAILABLE when the connection breaks before the last one, and those of every call.
   */
  async *all(options: CallOptions = {}): AsyncGenerator<Pair> {
    const headers = { accept: 'application/x-ndjson' }
    const request: WireRequest = { method: 'GET', target: '/query/*', headers, goal: 'any' }
    const body = await this.#calls.read(options, request, reply => reply.body)
    try {
      for await (const line of linesOf(body, PAIR_LINE_LENGTH_MAX)) yield line as Pair
    } catch (cause) {
      options.signal?.throwIfAborted()
      throw new StoreError('UNAVAILABLE', 'The connection broke before all pairs had come.', { cause })
    }
  }
}

function textOf(key: PairKey): string {
  return typeof key === 'string' ? key : JSON.stringify(key)
}

function targetOf(key: PairKey): string {
  const text = textOf(key)
  if (text.isWellFormed()) return `/kv/${encodeURIComponent(text)}`
  throw new StoreError('INVALID_REQUEST', 'This key is refused: it is not valid Unicode.')
}
