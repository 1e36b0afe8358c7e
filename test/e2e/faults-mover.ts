/**
 * A client of a run of faults that moves and copies files. Each begins as a file of its own at a path that nobody else writes, so that
 * what a move carries is known; the history has a move as a removal of its source and a write of its destination.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Action, Answer } from '../../src/lab/simulator/history.ts'
import { FaultClient, type FaultClientComponents } from './faults-client.ts'
import { valueNamed } from './faults-values.ts'

export interface FaultMoverInit {
  /** Where files are moved to, which others write, too. */
  readonly paths: readonly string[]
  /** Mean pause between two moves, ms. */
  readonly thinkMs: number
  /** It gives up waiting after this time, ms. */
  readonly patienceMs: number
}

const NAME = 'mover'
const SMALL_BYTES = 1024
/** Of one in five, so that bodies are moved, too. */
const MIDDLE_BYTES = 200 * 1024

export class FaultMover {
  /** Moves and copies that were answered with success. */
  done = 0
  readonly #components: FaultClientComponents
  readonly #init: FaultMoverInit
  readonly #agent = new Agent({ connections: 8 })
  #begun = 0

  constructor(components: FaultClientComponents, init: FaultMoverInit) {
    this.#components = components
    this.#init = init
  }

  /** Moves until `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { random } = this.#components
    const { paths, patienceMs } = this.#init
    const writer = new FaultClient(this.#components, { name: NAME, paths, sizes: [], thinkMs: 0, patienceMs })
    try {
      while (!stop.aborted) {
        await this.#moveOne(writer)
        await delay(random.int(0, 2 * this.#init.thinkMs))
      }
    } finally {
      await writer.close()
      await this.#agent.destroy()
    }
  }

  async #moveOne(writer: FaultClient): Promise<void> {
    const { nodes, random, recorder, forced } = this.#components
    const number = ++this.#begun
    const value = valueNamed(`${NAME}.${number}`, random.int(0, 4) === 0 ? MIDDLE_BYTES : SMALL_BYTES)
    const isEra = forced.pathNow('')
    const source = forced.pathNow(`faults/moved/${number}`)
    const destination = forced.pathNow(random.pick(this.#init.paths))
    const create: Action = { kind: 'create', value }
    const created = recorder.invoked(NAME, source, create)
    const answer = await writer.ask(random.pick(nodes).address, source, create)
    recorder.answered(created, answer)
    if (answer.kind !== 'ok' || forced.pathNow('') !== isEra) return
    const verb = random.int(0, 3) === 0 ? 'copy' : 'move'
    const overwrite = random.int(0, 1) === 1
    const leaves: Action =
      verb === 'move' ? { kind: 'remove', movedTo: { path: destination, value } } : { kind: 'exists' }
    const from = recorder.invoked(NAME, source, leaves)
    const to = recorder.invoked(NAME, destination, { kind: overwrite ? 'put' : 'create', value })
    const query = overwrite ? '?overwrite=true' : ''
    const url = `http://${random.pick(nodes).address}/${verb}/${encodeURIComponent(source)}/${encodeURIComponent(destination)}${query}`
    const [left, arrived] = await this.#ask(url, verb)
    if (arrived.kind === 'ok') this.done++
    recorder.answered(from, left)
    recorder.answered(to, arrived)
  }

  /** What the history is told of the source and of the destination. */
  async #ask(url: string, verb: 'move' | 'copy'): Promise<readonly [Answer, Answer]> {
    const refused: Answer = { kind: 'refused' }
    const unknown: Answer = { kind: 'unknown' }
    // A copy changes nothing at its source.
    const open = [verb === 'move' ? unknown : refused, unknown] as const
    const signal = AbortSignal.timeout(this.#init.patienceMs)
    try {
      const reply = await request(url, { method: 'POST', dispatcher: this.#agent, signal })
      const text = await reply.body.text()
      const receipt = JSON.parse(text) as { etag?: string; error?: { code: string } }
      if (reply.statusCode < 300) {
        if (receipt.etag === undefined) throw new Error(`a ${verb} was told ${reply.statusCode} ${text}`)
        return [{ kind: 'ok' }, { kind: 'ok', etag: receipt.etag }]
      }
      switch (receipt.error?.code) {
        case 'FILE_NOT_FOUND':
          return [{ kind: 'FILE_NOT_FOUND' }, refused]
        case 'FILE_EXISTS':
          if (url.endsWith('?overwrite=true'))
            throw new Error(`a ${verb} with overwrite=true was told ${text}`)
          return [refused, { kind: 'FILE_EXISTS' }]
        case 'UNAVAILABLE':
        case 'OVERLOADED':
        case 'DISK_FULL':
          return [refused, refused]
        case 'INDETERMINATE':
          return open
        default:
          throw new Error(`a ${verb} was told ${reply.statusCode} ${text}`)
      }
    } catch (error) {
      const { code } = error as { code?: string }
      if (!signal.aborted && code === undefined) throw error
      return code === 'ECONNREFUSED' ? [refused, refused] : open
    }
  }
}
