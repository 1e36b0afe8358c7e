/**
 * A client of a run of faults: it asks any node, one thing after the other, and writes down what it asked and what it
 * was told.
 */
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, type Dispatcher, request } from 'undici'
import type { Answer, FileAction, HistoryRecorder } from '../../src/lab/simulator/history.ts'
import type { SeededRandom } from '../../src/lab/simulator/seeded-random.ts'
import { urlPath } from './client.ts'
import type { ForcedRanges } from './faults-eras.ts'
import { chunksOf, valueIn, valueNamed } from './faults-values.ts'

export interface FaultClientComponents {
  readonly nodes: readonly { readonly name: string; readonly address: string }[]
  readonly recorder: HistoryRecorder
  readonly random: SeededRandom
  readonly forced: ForcedRanges
}

export interface FaultClientInit {
  readonly name: string
  readonly paths: readonly string[]
  /** Sizes of bodies, bytes; each as likely as the others. */
  readonly sizes: readonly number[]
  /** Mean pause between two operations, ms: the histories shall be long, not the machine hot. */
  readonly thinkMs: number
  /** It gives up waiting after this time, ms; the outcome is unknown then. Shorter than a pause, so that clients go on elsewhere. */
  readonly patienceMs: number
}

export class FaultClient {
  /** Answers by their code, as the nodes gave them. */
  readonly told = new Map<string, number>()
  readonly #components: FaultClientComponents
  readonly #init: FaultClientInit
  readonly #agent = new Agent({ connections: 64 })
  readonly #etags = new Map<string, string>()
  #written = 0

  constructor(components: FaultClientComponents, init: FaultClientInit) {
    this.#components = components
    this.#init = init
  }

  /** Asks until `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { nodes, random, recorder, forced } = this.#components
    const { name, paths, thinkMs } = this.#init
    try {
      while (!stop.aborted) {
        const { address } = random.pick(nodes)
        const path = forced.pathNow(random.pick(paths))
        const action = this.#action(path)
        const id = recorder.invoked(name, path, action)
        const answer = await this.ask(address, path, action)
        if (answer.kind === 'ok' && answer.etag !== undefined) this.#etags.set(path, answer.etag)
        recorder.answered(id, answer)
        await delay(random.int(0, 2 * thinkMs))
      }
    } finally {
      await this.close()
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }

  /** One action as a request to one node, and its reply as an answer. */
  async ask(address: string, path: string, action: FileAction): Promise<Answer> {
    const signal = AbortSignal.timeout(this.#init.patienceMs)
    try {
      const reply = await this.#send(address, path, action, signal)
      return await this.#answerOf(reply, action)
    } catch (error) {
      if (signal.aborted) return { kind: 'unknown' }
      const { code } = error as { code?: string }
      if (code === undefined) throw error
      // A connection that was refused carried nothing.
      return { kind: code === 'ECONNREFUSED' ? 'refused' : 'unknown' }
    }
  }

  #action(path: string): FileAction {
    const { random } = this.#components
    const roll = random.int(0, 99)
    const size = random.pick(this.#init.sizes)
    const value = () => valueNamed(`${this.#init.name.replace(' ', '-')}.${++this.#written}`, size)
    const etag = this.#etags.get(path)
    if (roll < 40) return { kind: 'get' }
    if (roll < 50) return { kind: 'exists' }
    if (roll < 65) return { kind: 'put', value: value() }
    if (roll < 80) return { kind: 'create', value: value() }
    if (roll < 90 && etag !== undefined) return { kind: 'replace', value: value(), etag }
    return { kind: 'remove' }
  }

  #send(
    address: string,
    path: string,
    action: FileAction,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const at = `http://${address}`
    const name = urlPath(path)
    const common = { dispatcher: this.#agent, signal, headersTimeout: 0, bodyTimeout: 0 }
    switch (action.kind) {
      case 'get':
      case 'exists':
        return request(`${at}/${action.kind}/${name}`, common)
      case 'remove':
        return request(`${at}/remove/${name}`, { ...common, method: 'DELETE' })
      default: {
        const headers = {
          'content-type': 'application/octet-stream',
          ...(action.kind === 'replace' && { 'if-match': action.etag }),
        }
        const query = action.kind === 'put' ? '?overwrite=true' : ''
        const body = Readable.from(chunksOf(action.value), { objectMode: false })
        return request(`${at}/put/${name}${query}`, { ...common, method: 'PUT', headers, body })
      }
    }
  }

  async #answerOf(reply: Dispatcher.ResponseData, action: FileAction): Promise<Answer> {
    if (reply.statusCode >= 200 && reply.statusCode < 300) {
      this.#count('OK')
      const { etag } = reply.headers as { etag?: string }
      if (action.kind === 'get')
        return { kind: 'ok', value: await valueIn(reply.body), ...(etag && { etag }) }
      const text = await reply.body.text()
      if (action.kind === 'exists') return { kind: text.trimEnd() === 'true' ? 'ok' : 'FILE_NOT_FOUND' }
      return { kind: 'ok', ...(etag && { etag }) }
    }
    const text = await reply.body.text()
    const { code } = (JSON.parse(text) as { error: { code: string } }).error
    this.#count(code)
    if (code === 'FILE_NOT_FOUND' || code === 'FILE_EXISTS' || code === 'PRECONDITION_FAILED') {
      return { kind: code }
    }
    if (code === 'UNAVAILABLE' || code === 'OVERLOADED' || code === 'DISK_FULL') return { kind: 'refused' }
    if (code === 'INDETERMINATE') return { kind: 'unknown' }
    throw new Error(`a client was told ${reply.statusCode} ${text}`)
  }

  #count(code: string): void {
    this.told.set(code, (this.told.get(code) ?? 0) + 1)
  }
}
