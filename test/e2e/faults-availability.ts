/**
 * How long a network served nothing while faults went on. Each of some paths is written and read several times a second, at one node
 * after the other, whether the tries before have been answered or not; a stretch without a success counts as far as a
 * majority of the nodes was up and connected, each to each.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Cluster } from './cluster.ts'

export interface AvailabilityInit {
  readonly paths: readonly string[]
  /** Between two tries of one path, ms. */
  readonly everyMs: number
  /** A try that takes longer is no success, ms. */
  readonly patienceMs: number
}

/** Longest stretches without a success, ms. */
export interface Availability {
  /** Of the path that waited longest, and of the median one. */
  readonly writes: { readonly longest: number; readonly median: number }
  readonly reads: { readonly longest: number; readonly median: number }
  /** Without a success of any path, of either kind. */
  readonly anything: { readonly longest: number }
  /** How long a majority was up and connected, ms. */
  readonly judgedMs: number
  /** When the longest ones began, ms since the watch began. */
  readonly began: { readonly write: number; readonly read: number; readonly anything: number }
}

interface Stretch {
  readonly fromMs: number
  readonly toMs: number
}

/** One try, for those who look for the cause of a long stretch. */
export interface Try {
  readonly kind: Kind
  readonly path: string
  /** The node that was asked. */
  readonly at: string
  readonly fromMs: number
  readonly toMs: number
  /** The status of the answer, its code when it was refused, or why there was none. */
  readonly told: string
}

type Kind = 'write' | 'read'

/** Between two looks at the nodes and links, ms. */
const LOOK_MS = 20

export class AvailabilityWatch {
  readonly #cluster: Cluster
  readonly #init: AvailabilityInit
  readonly #nowMs: () => number
  readonly #agent = new Agent({ connections: 64 })
  /** When tries were answered with success, by kind and path. */
  readonly #successes = new Map<string, number[]>()
  /** While a majority was up and connected. */
  readonly #judged: { fromMs: number; toMs: number }[] = []
  readonly #under = new Set<Promise<void>>()
  readonly #told: Try[] = []
  #isExcused = false
  #tries = 0

  constructor(cluster: Cluster, init: AvailabilityInit, nowMs: () => number = () => performance.now()) {
    this.#cluster = cluster
    this.#init = init
    this.#nowMs = nowMs
  }

  /** Nothing is judged until `excuse(false)`: what is done to the nodes may cost what they have. */
  excuse(isExcused: boolean): void {
    this.#isExcused = isExcused
  }

  /** Tries until `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    let nextMs = this.#nowMs()
    try {
      while (!stop.aborted) {
        this.#look()
        if (this.#nowMs() >= nextMs) {
          nextMs += this.#init.everyMs
          this.#tryAll()
        }
        await delay(LOOK_MS)
      }
      await Promise.all(this.#under)
    } finally {
      await this.#agent.destroy()
    }
  }

  /** All tries, in the order in which they ended, and what is judged. */
  get tries(): { readonly tries: readonly Try[]; readonly judged: readonly Stretch[] } {
    return { tries: this.#told, judged: this.#judged }
  }

  report(): Availability {
    const beganMs = this.#judged[0]?.fromMs ?? 0
    const ofKind = (kind: Kind) => {
      const stretches = this.#init.paths.map(path =>
        longestWithout(this.#successes.get(`${kind} ${path}`) ?? [], this.#judged),
      )
      stretches.sort((a, b) => lengthOf(a) - lengthOf(b))
      const longest = stretches.at(-1)
      const median = stretches[Math.floor(stretches.length / 2)]
      return { longest: lengthOf(longest), median: lengthOf(median), began: beganOf(longest, beganMs) }
    }
    const [writes, reads] = [ofKind('write'), ofKind('read')]
    const all = [...this.#successes.values()].flat().sort((a, b) => a - b)
    const anything = longestWithout(all, this.#judged)
    return {
      writes: { longest: writes.longest, median: writes.median },
      reads: { longest: reads.longest, median: reads.median },
      anything: { longest: lengthOf(anything) },
      judgedMs: Math.round(this.#judged.reduce((sum, one) => sum + one.toMs - one.fromMs, 0)),
      began: { write: writes.began, read: reads.began, anything: beganOf(anything, beganMs) },
    }
  }

  #look(): void {
    const atMs = this.#nowMs()
    const last = this.#judged.at(-1)
    if (this.#isExcused || !hasMajority(this.#cluster)) {
      if (last !== undefined && last.toMs === Number.POSITIVE_INFINITY) last.toMs = atMs
    } else if (last === undefined || last.toMs !== Number.POSITIVE_INFINITY) {
      this.#judged.push({ fromMs: atMs, toMs: Number.POSITIVE_INFINITY })
    }
  }

  /** The end of what is judged. */
  end(): void {
    const last = this.#judged.at(-1)
    if (last !== undefined && last.toMs === Number.POSITIVE_INFINITY) last.toMs = this.#nowMs()
  }

  #tryAll(): void {
    const { nodes } = this.#cluster
    const turn = this.#tries++
    for (const [index, path] of this.#init.paths.entries()) {
      const at = (offset: number) => nodes[(turn + index + offset) % nodes.length]?.address as string
      this.#begin('write', path, at(0))
      this.#begin('read', path, at(2))
    }
  }

  #begin(kind: Kind, path: string, at: string): void {
    const trying = this.#try(kind, path, at).finally(() => this.#under.delete(trying))
    this.#under.add(trying)
  }

  async #try(kind: Kind, path: string, at: string): Promise<void> {
    const fromMs = this.#nowMs()
    const told = await this.#ask(kind, path, at)
    const toMs = this.#nowMs()
    this.#told.push({ kind, path, at, fromMs, toMs, told })
    if (!told.startsWith('2')) return
    const key = `${kind} ${path}`
    const successes = this.#successes.get(key) ?? []
    successes.push(toMs)
    this.#successes.set(key, successes)
  }

  async #ask(kind: Kind, path: string, at: string): Promise<string> {
    const url = kind === 'write' ? `http://${at}/put/${path}?overwrite=true` : `http://${at}/get/${path}`
    try {
      const reply = await request(url, {
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(this.#init.patienceMs),
        ...(kind === 'write' && { method: 'PUT', body: `${this.#tries}` }),
        headers: kind === 'write' ? { 'content-type': 'text/plain' } : {},
      })
      const text = await reply.body.text()
      return reply.statusCode < 300 ? `${reply.statusCode}` : `${reply.statusCode} ${text}`
    } catch (error) {
      const { code, name } = error as { code?: string; name: string }
      return code === undefined || typeof code !== 'string' ? name : code
    }
  }
}

/** Whether more than half of the nodes run, are not stopped, and reach each other, each pair both ways. */
export function hasMajority(cluster: Pick<Cluster, 'nodes' | 'links'>): boolean {
  const up = cluster.nodes.filter(node => node.isRunning && !node.process.isPaused)
  const needed = Math.floor(cluster.nodes.length / 2) + 1
  const connected = (a: string, b: string) => cluster.links.isOpen(a, b) && cluster.links.isOpen(b, a)
  const grows = (group: readonly string[], left: readonly string[]): boolean => {
    if (group.length >= needed) return true
    return left.some(
      (address, index) =>
        group.every(other => connected(other, address)) && grows([...group, address], left.slice(index + 1)),
    )
  }
  return grows(
    [],
    up.map(({ address }) => address),
  )
}

/** The longest stretch within what is judged that has none of these moments inside it. */
export function longestWithout(
  momentsMs: readonly number[],
  judged: readonly Stretch[],
): Stretch | undefined {
  let longest: Stretch | undefined
  for (const { fromMs, toMs } of judged) {
    const inside = momentsMs.filter(atMs => atMs > fromMs && atMs < toMs).sort((a, b) => a - b)
    const edges = [fromMs, ...inside, toMs]
    for (const [index, edge] of edges.slice(1).entries()) {
      const one = { fromMs: edges[index] as number, toMs: edge }
      if (longest === undefined || lengthOf(one) > lengthOf(longest)) longest = one
    }
  }
  return longest
}

function lengthOf(stretch: Stretch | undefined): number {
  return stretch === undefined ? 0 : Math.round(stretch.toMs - stretch.fromMs)
}

function beganOf(stretch: Stretch | undefined, beganMs: number): number {
  return stretch === undefined ? 0 : Math.round(stretch.fromMs - beganMs)
}
