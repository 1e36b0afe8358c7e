/**
 * A client of a run of faults that lists all files at any node, again and again. A list is a read of every path at some
 * moment between its question and its end: each file that stands all that time is in it, once, and none that is gone.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { HistoryRecorder } from '../../src/lab/simulator/history.ts'
import type { SeededRandom } from '../../src/lab/simulator/seeded-random.ts'
import type { ForcedRanges } from './faults-eras.ts'

export interface FaultListerComponents {
  readonly nodes: readonly { readonly name: string; readonly address: string }[]
  readonly recorder: HistoryRecorder
  readonly random: SeededRandom
  readonly forced: ForcedRanges
}

export interface FaultListerInit {
  /** Whose being listed is judged. */
  readonly paths: readonly string[]
  /** Mean pause between two lists, ms. */
  readonly thinkMs: number
  /** It gives up a list after this time, ms. */
  readonly patienceMs: number
}

const NAME = 'lister'

interface Listed {
  readonly path: string
  readonly etag: string
}

export class FaultLister {
  /** Whole lists that were given. */
  lists = 0
  readonly #components: FaultListerComponents
  readonly #init: FaultListerInit
  readonly #agent = new Agent({ connections: 8 })

  constructor(components: FaultListerComponents, init: FaultListerInit) {
    this.#components = components
    this.#init = init
  }

  /** Asks until `stop` aborts. @throws Error when a list has a path twice. */
  async run(stop: AbortSignal): Promise<void> {
    const { nodes, random } = this.#components
    try {
      while (!stop.aborted) {
        await this.#listAt(random.pick(nodes))
        await delay(random.int(0, 2 * this.#init.thinkMs))
      }
    } finally {
      await this.#agent.destroy()
    }
  }

  async #listAt({ name, address }: { readonly name: string; readonly address: string }): Promise<void> {
    const { recorder, forced } = this.#components
    const asked = this.#init.paths.map(path => {
      const now = forced.pathNow(path)
      return { path: now, id: recorder.invoked(NAME, now, { kind: 'exists' }) }
    })
    const listed = await this.#listedAt(address)
    if (listed !== undefined) {
      this.lists++
      const paths = listed.map(({ path }) => path)
      const twice = paths.find((path, index) => paths.indexOf(path) !== index)
      if (twice !== undefined) throw new Error(`${name} lists ${twice} twice among ${listed.length} files`)
    }
    const there = new Map(listed?.map(({ path, etag }) => [path, etag]))
    for (const { path, id } of asked) {
      const etag = there.get(path)
      if (etag !== undefined) recorder.answered(id, { kind: 'ok', etag })
      else recorder.answered(id, { kind: listed === undefined ? 'refused' : 'FILE_NOT_FOUND' })
    }
  }

  /** What a node lists; undefined when it refuses, or its list breaks off. */
  async #listedAt(address: string): Promise<Listed[] | undefined> {
    try {
      const reply = await request(`http://${address}/list`, {
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(this.#init.patienceMs),
        headers: { accept: 'application/x-ndjson' },
      })
      const text = await reply.body.text()
      if (reply.statusCode !== 200) return undefined
      return text
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as Listed)
    } catch (error) {
      if (error instanceof SyntaxError) throw error
      return undefined
    }
  }
}
