/**
 * A client of a run of faults that removes and overwrites, looks into the trash, and restores from it, at paths that nobody else writes:
 * it knows by their ETags which of its values stand where, also after a restoration, whose bytes are those of an earlier value. The history has a
 * restoration as something found in the trash and a write that names it.
 */
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Action, Answer } from '../../src/lab/simulator/history.ts'
import { urlPath } from './client.ts'
import type { FaultClientComponents } from './faults-client.ts'
import { chunksOf, valueNamed } from './faults-values.ts'

export interface FaultTrasherInit {
  /** Mean pause between two operations, ms. */
  readonly thinkMs: number
  /** It gives up waiting after this time, ms. */
  readonly patienceMs: number
  /** Of one value in four. A full disk gives up trashed versions that are no longer in the index (docs/decisions/0395), which is not judged here. */
  readonly middleBytes: number
}

const NAME = 'trasher'

/** None is the beginning of another one, since the trash is listed by prefixes. */
const PATHS = ['faults/trashed/a', 'faults/trashed/b', 'faults/trashed/c']

const SMALL_BYTES = 1024

interface Trashed {
  readonly path: string
  readonly version: string
  readonly etag: string
}

interface Reply {
  readonly status: number
  readonly etag: string | undefined
  readonly text: string
}

/** What is known of the values of one path. */
interface Values {
  readonly byEtag: Map<string, string>
  /** Values whose write has no known outcome, by the hash that their ETag ends with. */
  readonly open: { readonly value: string; readonly hash: string }[]
  /** The hash of the bytes of each value. */
  readonly hashes: Map<string, string>
  /** What the trash had when it was last listed. */
  trash: readonly (readonly [value: string, version: string])[]
}

const REFUSED: Answer = { kind: 'refused' }
const UNKNOWN: Answer = { kind: 'unknown' }
const REFUSALS = new Set(['UNAVAILABLE', 'OVERLOADED', 'DISK_FULL'])

export class FaultTrasher {
  /** Restorations that were answered with success, and whole lists of the trash. */
  restored = 0
  lists = 0
  readonly #components: FaultClientComponents
  readonly #init: FaultTrasherInit
  readonly #agent = new Agent({ connections: 8 })
  readonly #values = new Map<string, Values>()
  #written = 0

  constructor(components: FaultClientComponents, init: FaultTrasherInit) {
    this.#components = components
    this.#init = init
  }

  /** Asks until `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { random, forced } = this.#components
    while (!stop.aborted) {
      const path = forced.pathNow(random.pick(PATHS))
      const roll = random.int(0, 99)
      if (roll < 30) await this.#put(path)
      else if (roll < 50) await this.#remove(path)
      else if (roll < 65) await this.#get(path)
      else if (roll < 80) await this.#list(path)
      else await this.#restore(path)
      await delay(random.int(0, 2 * this.#init.thinkMs))
    }
  }

  /** Whether this client alone writes a path: what stands there is told by its ETag, and not by the name in its bytes. */
  owns(path: string): boolean {
    return this.#values.has(path)
  }

  /**
   * Reads all its paths and their trash at every node, and takes leave.
   * @throws Error when a node does not answer with what it has, although all is well.
   */
  async readAll(): Promise<void> {
    try {
      for (const path of this.#values.keys())
        for (const { address } of this.#components.nodes) {
          const unread = (await this.#get(path, address)) ?? (await this.#list(path, address))
          if (unread !== undefined) throw new Error(`after healing, ${address} did not answer: ${unread}`)
        }
    } finally {
      await this.#agent.destroy()
    }
  }

  async #put(path: string): Promise<void> {
    const bytes = this.#components.random.int(0, 3) === 0 ? this.#init.middleBytes : SMALL_BYTES
    const value = valueNamed(`${NAME}.${++this.#written}`, bytes)
    const body = Buffer.concat([...chunksOf(value)])
    const hash = hashOf(body)
    const end = this.#begin(path, { kind: 'put', value })
    const reply = await this.#ask('PUT', `/put/${urlPath(path)}?overwrite=true`, body)
    end(this.#answerOfWrite(path, { value, hash }, reply))
  }

  async #remove(path: string): Promise<void> {
    const end = this.#begin(path, { kind: 'remove' })
    const reply = await this.#ask('DELETE', `/remove/${urlPath(path)}`)
    if (reply === 'refused' || reply === 'unknown') return end({ kind: reply })
    if (reply.status < 300) return end({ kind: 'ok' })
    end(codeOf(reply) === 'FILE_NOT_FOUND' ? { kind: 'FILE_NOT_FOUND' } : failed(reply))
  }

  /** Gives what was heard in place of an answer. */
  async #get(path: string, address?: string): Promise<string | undefined> {
    const end = this.#begin(path, { kind: 'get' })
    const reply = await this.#ask('GET', `/get/${urlPath(path)}`, undefined, address)
    if (typeof reply !== 'string' && codeOf(reply) === 'FILE_NOT_FOUND') {
      end({ kind: 'FILE_NOT_FOUND' })
      return undefined
    }
    if (typeof reply === 'string' || reply.status >= 300) return unread(reply, end)
    const etag = reply.etag as string
    const value = this.#valueOf(path, etag)
    if (value === undefined) {
      end(UNKNOWN)
      return undefined
    }
    const hash = hashOf(Buffer.from(reply.text, 'latin1'))
    if (hash !== this.#of(path).hashes.get(value))
      throw new Error(`${path} ${etag} has other bytes than ${value}`)
    end({ kind: 'ok', value, etag })
    return undefined
  }

  /** As #get. */
  async #list(path: string, address?: string): Promise<string | undefined> {
    const end = this.#begin(path, { kind: 'trash' })
    const reply = await this.#ask('GET', `/trash?prefix=${encodeURIComponent(path)}`, undefined, address)
    if (typeof reply === 'string' || reply.status >= 300) return unread(reply, end)
    const { versions } = JSON.parse(reply.text) as { versions: readonly Trashed[] }
    const told = versions.filter(one => one.path === path)
    const named = told.map(({ etag, version }) => [this.#valueOf(path, etag), version] as const)
    // Which of two values of the same bytes it is can be unknown as long as the outcome of a write is.
    const isClear = (one: readonly [string | undefined, string]): one is readonly [string, string] =>
      one[0] !== undefined
    if (!named.every(isClear)) {
      end(UNKNOWN)
      return undefined
    }
    this.lists++
    this.#of(path).trash = named.filter(isClear)
    end({ kind: 'ok', values: named.filter(isClear).map(([value]) => value) })
    return undefined
  }

  async #restore(path: string): Promise<void> {
    const values = this.#of(path)
    if (values.trash.length === 0) {
      await this.#list(path)
      return
    }
    const [of, version] = this.#components.random.pick(values.trash)
    const value = valueNamed(`${NAME}.${++this.#written}`, 0)
    const hash = values.hashes.get(of) as string
    const found = this.#begin(path, { kind: 'trashed', of })
    const written = this.#begin(path, { kind: 'put', value, restores: of })
    const reply = await this.#ask(
      'POST',
      '/trash/restore',
      JSON.stringify({ path, version, overwrite: true }),
    )
    if (typeof reply !== 'string' && codeOf(reply) === 'FILE_NOT_FOUND') {
      found(REFUSED)
      return written(REFUSED)
    }
    const answer = this.#answerOfWrite(path, { value, hash }, reply)
    if (answer.kind === 'ok') this.restored++
    found({ kind: answer.kind === 'ok' ? 'ok' : 'refused' })
    written(answer)
  }

  /** Notes what is asked; gives how its answer is noted. */
  #begin(path: string, action: Action): (answer: Answer) => void {
    const { recorder } = this.#components
    const id = recorder.invoked(NAME, path, action)
    return answer => recorder.answered(id, answer)
  }

  #answerOfWrite(
    path: string,
    { value, hash }: { readonly value: string; readonly hash: string },
    reply: Reply | 'refused' | 'unknown',
  ): Answer {
    const values = this.#of(path)
    values.hashes.set(value, hash)
    const answer = typeof reply === 'string' ? ({ kind: reply } as const) : undefined
    if (answer === undefined && (reply as Reply).status < 300) {
      const { etag } = JSON.parse((reply as Reply).text) as { etag: string }
      values.byEtag.set(etag, value)
      return { kind: 'ok', etag }
    }
    const told = answer ?? failed(reply as Reply)
    if (told.kind === 'unknown') values.open.push({ value, hash })
    return told
  }

  /** The value that a version with that ETag has; undefined when it may be one of several. */
  #valueOf(path: string, etag: string): string | undefined {
    const { byEtag, open } = this.#of(path)
    const known = byEtag.get(etag)
    if (known !== undefined) return known
    const hash = /-([0-9a-f]+)"$/.exec(etag)?.[1]
    const [first, second] = open.filter(one => one.hash === hash)
    if (first === undefined) throw new Error(`${path} has the ETag ${etag}, which nobody wrote`)
    if (second !== undefined) return undefined
    open.splice(open.indexOf(first), 1)
    byEtag.set(etag, first.value)
    return first.value
  }

  #of(path: string): Values {
    const values = this.#values.get(path) ?? { byEtag: new Map(), open: [], hashes: new Map(), trash: [] }
    this.#values.set(path, values)
    return values
  }

  async #ask(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    target: string,
    body?: string | Buffer,
    address = this.#components.random.pick(this.#components.nodes).address,
  ) {
    const signal = AbortSignal.timeout(this.#init.patienceMs)
    try {
      const url = `http://${address}${target}`
      const headers = { 'content-type': 'application/octet-stream' }
      const reply = await request(url, {
        method,
        headers,
        body: body ?? null,
        dispatcher: this.#agent,
        signal,
      })
      const bytes = Buffer.from(await reply.body.arrayBuffer())
      const { etag } = reply.headers as { etag?: string }
      return { status: reply.statusCode, etag, text: bytes.toString('latin1') } satisfies Reply
    } catch (error) {
      const { code } = error as { code?: string }
      if (!signal.aborted && code === undefined) throw error
      return code === 'ECONNREFUSED' ? 'refused' : 'unknown'
    }
  }
}

/** Notes that nothing was read; gives what was heard. */
function unread(reply: Reply | 'refused' | 'unknown', end: (answer: Answer) => void): string {
  end(typeof reply === 'string' ? { kind: reply } : failed(reply))
  return typeof reply === 'string' ? reply : reply.text
}

/** The part of the SHA-256 of bytes that an ETag has. */
function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 8)
}

function codeOf({ status, text }: Reply): string | undefined {
  return status < 300 ? undefined : (JSON.parse(text) as { error: { code: string } }).error.code
}

/** @throws Error for what no client should be told. */
function failed(reply: Reply): Answer {
  const code = codeOf(reply) ?? ''
  if (REFUSALS.has(code)) return REFUSED
  if (code === 'INDETERMINATE') return UNKNOWN
  throw new Error(`${NAME} was told ${reply.status} ${reply.text}`)
}
