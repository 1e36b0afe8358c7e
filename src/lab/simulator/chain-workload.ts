/**
 * The clients of a simulated chain network: what they ask, what they are told, and the history of both.
 *
 * A value of the history is the request that put a body there: a copy of a body is another value, so every value is
 * written once, as the checker wants it.
 */

import type { IdempotencyKey } from '../../replication/chain/chain-record.ts'
import type { Write } from '../../replication/chain/machine-state.ts'
import type { ClientRequest } from '../../replication/entry/requests.ts'
import type { Condition } from '../../replication/replication.ts'
import type { Identifier } from '../../ring/identifier.ts'
import { identifierOfPath } from '../../ring/identifier.ts'
import { type PathName, parsePathName } from '../../ring/path-name.ts'
import {
  type BlobId,
  type Body,
  type ETag,
  etagOf,
  type FileRecord,
  type Version,
} from '../../storage/record.ts'
import { type TrashName, trashFactsOf } from '../../storage/trash-name.ts'
import { bootName } from '../../views/view.ts'
import { showVersion } from './answer-invariants.ts'
import type { ChainCluster } from './chain-cluster.ts'
import type { ChainNode } from './chain-node.ts'
import { bytesOf, sha256Of } from './client-bodies.ts'
import { answersOf, writingOf } from './client-history.ts'
import { askedFor, type Told, type Wish } from './client-request.ts'
import { NODE_MS } from './faster-env.ts'
import { type Answer, HistoryRecorder, type Operation } from './history.ts'
import { InvariantBroken } from './invariant-broken.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Transcript } from './transcript.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface WorkloadComponents {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly transcript: Transcript
  readonly cluster: ChainCluster
}

export interface WorkloadInit {
  readonly clients: number
  readonly paths: number
  /** The share of bodies that lie beside their records. */
  readonly large: number
  /** Bodies have bytes. */
  readonly whole?: boolean
  /** Replaced and removed files go into a trash. */
  readonly trash?: boolean
  /** How long the outcomes of keys count, virtual ms. */
  readonly outcomesKeptMs: number
  /** No client asks anything new after this, virtual ms. */
  readonly untilMs: number
}

/** A request under way: at which node, and which entries of the history wait for it. */
interface Pending {
  readonly node: ChainNode
  readonly request: Wish
  readonly client: string
  /** Ids in the history: of the source or only path, and of the destination. */
  readonly entries: readonly string[]
  readonly retries: number
  /** When the client asked first, virtual ms. */
  readonly askedAtMs: number
  /** The client asks something else when it has its answer. */
  readonly goesOn: boolean
}

/** What a schedule has a client ask. */
export interface Order {
  readonly client: string
  readonly kind: 'get' | 'put' | 'remove'
  readonly path: PathName
  /** An Idempotency-Key. */
  readonly key?: string
  /** A put of a body that lies beside the records. */
  readonly large?: boolean
}

/** How long what is in the trash is kept by those who ask for what is older to go, virtual ms. */
export const TRASH_MS = 300

/** The share of requests that are about the trash, in worlds that have one. */
const TRASH_SHARE = 0.2

/** Ms that a client thinks between two requests. */
const THINK_MS = [0, 40] as const

/**
 * How long the try of a request may be at work after its client has given it away, virtual ms: its deadline, messages that are late, and a
 * node that is paused. Nobody repeats a request whose key may not count any more when the repetition arrives.
 */
const AT_WORK_MS = 1_200

const META = { mediaType: 'text/plain' }

export class ChainWorkload {
  readonly paths: readonly PathName[]
  readonly #components: WorkloadComponents
  readonly #init: WorkloadInit
  readonly #random: SeededRandom
  readonly #history: HistoryRecorder
  readonly #pending = new Map<string, Pending>()
  readonly #etags = new Map<PathName, ETag>()
  /** What was last seen in the trash of a path. */
  readonly #trash = new Map<PathName, readonly TrashName[]>()
  /** The value of a write, by the request id of each try. */
  readonly #aliases = new Map<string, string>()
  /** The request id of a write, by its path and version. */
  readonly #writers = new Map<string, string>()
  /** What was sent, by the value that it counts as. */
  readonly #bodies = new Map<string, Body>()
  /** The value of a write by the entry of the history. */
  readonly #values = new Map<string, string>()
  readonly answers = { total: 0, unknown: 0 }
  #count = 0

  constructor(components: WorkloadComponents, init: WorkloadInit) {
    this.#components = components
    this.#init = init
    this.#random = components.random.fork('workload')
    this.#history = new HistoryRecorder({ clock: components.clock })
    this.paths = Array.from({ length: init.paths }, (_, index) => parsePathName(`p${index}`))
  }

  get busy(): boolean {
    return this.#pending.size > 0
  }

  operations(): Operation[] {
    return this.#history.operations()
  }

  positionOf(path: PathName): Identifier {
    return identifierOfPath(path)
  }

  /** Sets the clients going. */
  run(): void {
    for (let client = 1; client <= this.#init.clients; client++) this.#next(`c${client}`)
  }

  #next(client: string): void {
    const { clock, cluster } = this.#components
    clock.after(this.#random.between(THINK_MS[0], THINK_MS[1]), () => {
      if (clock.monotonicMs() >= this.#init.untilMs) return
      const running = cluster.nodes.filter(node => node.driver !== undefined)
      if (running.length === 0) return this.#next(client)
      this.ask(client, this.#random.pick(running), this.#draw())
    })
  }

  /** A client asks what a schedule says, and nothing after that. A put is create-only. */
  order(node: ChainNode, { client, kind, path, key: name, large }: Order): void {
    const key = name === undefined ? {} : { key: keyOf(name) }
    const put = { kind: 'put', path, body: this.#body(large === true), meta: META, writtenAtMs: 0 } as const
    const request: ClientRequest =
      kind === 'get'
        ? { kind, path }
        : kind === 'remove'
          ? { kind, condition: 'exists', path, ...key }
          : { ...put, condition: 'none', ...key }
    this.ask(client, node, request, false)
  }

  /** One request of a client. */
  ask(client: string, node: ChainNode, request: Wish, goesOn = true): void {
    if (node.driver === undefined) return
    const id = `${client}-${++this.#count}`
    const entries = this.#record(client, request, id)
    const askedAtMs = this.#components.clock.monotonicMs()
    this.#pending.set(id, { node, request, client, entries, retries: 0, askedAtMs, goesOn })
    this.#hand(id)
  }

  #hand(id: string): void {
    const { node, request } = this.#pending.get(id) as Pending
    const { clock, transcript } = this.#components
    transcript.note(node.name, 'asked', pathsOf(request), () => `${id} ${JSON.stringify(request)}`)
    void node.ask(id, request).then(
      told => clock.attempt(() => this.answered(id, told)),
      error => clock.fail(error),
    )
  }

  /** A node asks its machine for something, perhaps on behalf of a client: the next write that the machine names is that. */
  asked({ driver }: ChainNode, request: ClientRequest): void {
    const pending = this.#pending.get(askedFor() ?? '')
    const value = pending && this.#values.get(pending.entries.at(-1) as string)
    if (driver === undefined || value === undefined || request.kind === 'get') return
    const { self, boot, counter } = driver.machine
    const requestId = `${self}/${bootName(boot)}/r${counter + 1}`
    this.#aliases.set(request.kind === 'move' ? `${requestId}:copy` : requestId, value)
  }

  /** A node writes records: readers know a write by its version alone. */
  stepped(writes: readonly Write[]): void {
    for (const write of writes) {
      const written = write.kind === 'record' ? write.record?.written : undefined
      if (write.kind !== 'record' || written === undefined) continue
      this.#writers.set(`${write.path} ${showVersion(written.version)}`, written.requestId)
    }
  }

  #record(client: string, request: Wish, value: string): string[] {
    const entries = this.#recordEntries(client, request, value)
    const last = entries.at(-1)
    if (last !== undefined) this.#values.set(last, value)
    if (request.kind === 'put') this.#bodies.set(value, request.body)
    const restored = request.kind === 'restore' && this.#bodies.get(this.#inTrash(request.path, request.name))
    if (restored) this.#bodies.set(value, restored)
    return entries
  }

  #recordEntries(client: string, request: Wish, value: string): string[] {
    const history = this.#history
    switch (request.kind) {
      case 'get':
        return [history.invoked(client, request.path, { kind: 'get' })]
      case 'remove':
        return [history.invoked(client, request.path, { kind: 'remove' })]
      case 'trash':
        return [history.invoked(client, request.path, { kind: 'trash' })]
      case 'forget': {
        const { path, names, agedMs = 0 } = request
        // Nothing gets so old.
        const isInVain = agedMs > this.#agedMs()
        const values = isInVain ? [] : names.map(name => this.#inTrash(path, name))
        return [history.invoked(client, path, { kind: 'forget', values })]
      }
      case 'put':
        return [history.invoked(client, request.path, writingOf(request.condition, { value }))]
      case 'restore': {
        const { path, name, condition } = request
        const of = this.#inTrash(path, name)
        return [
          history.invoked(client, path, { kind: 'trashed', of }),
          history.invoked(client, path, writingOf(condition, { value, restores: of })),
        ]
      }
      case 'copy':
        return [
          history.invoked(client, request.from, { kind: 'exists' }),
          history.invoked(client, request.to, { kind: 'create', value, copied: true }),
        ]
      case 'move':
        return [
          history.invoked(client, request.from, { kind: 'remove', movedTo: { path: request.to, value } }),
          history.invoked(client, request.to, { kind: 'create', value, copied: true }),
        ]
    }
  }

  /** A node has answered. */
  answered(id: string, outcome: Told): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    const { client, request, entries } = pending
    this.#components.transcript.note(
      client,
      'told',
      pathsOf(request),
      () => `${id} ${JSON.stringify(outcome)}`,
    )
    const unknown = outcome.kind === 'indeterminate' || outcome.kind === 'unavailable'
    if (unknown && this.#askAgain(id, pending)) return
    this.#pending.delete(id)
    this.answers.total++
    if (unknown) this.answers.unknown++
    // What the last node surely has not done, an earlier one may have.
    const told: Told =
      outcome.kind === 'unavailable' && pending.retries > 0 ? { kind: 'indeterminate' } : outcome
    if (request.kind === 'trash' && told.kind === 'trash') this.#trash.set(request.path, told.names)
    const answers = answersOf(request, told, {
      read: record => this.#read(record),
      inTrash: (path, name) => this.#inTrash(path, name),
    })
    for (const [index, answer] of answers.entries()) this.#history.answered(entries[index] as string, answer)
    if (pending.goesOn) this.#next(client)
  }

  /** A client with an Idempotency-Key asks another node the same again: it counts as one operation. */
  #askAgain(id: string, pending: Pending): boolean {
    const { request, retries } = pending
    const node = this.#components.cluster.nodes.find(each => each.running && each !== pending.node)
    const hasKey = 'key' in request && request.key !== undefined
    const untilMs = pending.askedAtMs + this.#init.outcomesKeptMs - AT_WORK_MS
    const isOver = this.#components.clock.monotonicMs() >= untilMs
    if (!hasKey || retries >= 3 || node === undefined || isOver) return false
    this.#pending.delete(id)
    const again = `${pending.client}-${++this.#count}`
    this.#pending.set(again, { ...pending, node, retries: retries + 1 })
    this.#hand(again)
    return true
  }

  /** Clients of a node that went down hear nothing more from it. */
  lost(node: ChainNode): void {
    for (const [id, pending] of [...this.#pending]) {
      if (pending.node === node) this.answered(id, { kind: 'indeterminate' })
    }
  }

  #read(record: FileRecord | undefined): Answer {
    if (record === undefined) return { kind: 'FILE_NOT_FOUND' }
    const etag = etagOf(record)
    this.#etags.set(record.path, etag)
    const value = this.#valueAt(record.path, record.version)
    this.#assertSent(value, record)
    return { kind: 'ok', value, etag }
  }

  #inTrash(path: PathName, name: TrashName): string {
    return this.#valueAt(path, trashFactsOf(name).version)
  }

  #valueAt(path: PathName, version: Version): string {
    const written = this.#writers.get(`${path} ${showVersion(version)}`)
    // A move that began again is the same to its client.
    const requestId = written?.replace(/\+\d+:/, ':')
    if (requestId === undefined) throw new Error(`Nobody has written ${showVersion(version)} of ${path}.`)
    return this.#aliases.get(requestId) ?? requestId
  }

  /** What a put has written is what its client has sent. */
  #assertSent(value: string, { path, body: { sha256 } }: FileRecord): void {
    const sent = this.#bodies.get(value)
    if (sent === undefined) return
    if (sha256 === (this.#init.whole === true ? sha256Of(bytesOf(sent)) : sent.sha256)) return
    throw new InvariantBroken(`${path} has other bytes than ${value} has sent`, [path])
  }

  #draw(): Wish {
    const path = this.#random.pick(this.paths)
    if (this.#init.trash === true && this.#random.chance(TRASH_SHARE)) return this.#drawOfTrash(path)
    const other = this.#random.pick(this.paths)
    const drawn = this.#random.fraction()
    const key = this.#random.chance(0.25) ? { key: keyOf(`k${++this.#count}`) } : {}
    if (drawn < 0.38) return { kind: 'get', path }
    if (drawn < 0.52) return { kind: 'remove', condition: 'exists', path, ...key }
    if (drawn < 0.58 && other !== path) return { kind: 'copy', from: path, to: other }
    if (drawn < 0.7 && other !== path)
      return { kind: 'move', condition: 'absent', from: path, to: other, ...key }
    const etag = this.#etags.get(path)
    const conditional = drawn > 0.94 && etag !== undefined
    const condition = conditional ? { etags: [etag] } : drawn > 0.84 ? 'none' : 'absent'
    return { kind: 'put', path, body: this.#body(), meta: META, writtenAtMs: 0, condition, ...key }
  }

  #drawOfTrash(path: PathName): Wish {
    const names = this.#trash.get(path) ?? []
    const drawn = this.#random.fraction()
    if (names.length === 0 || drawn < 0.35) return { kind: 'trash', path }
    const name = this.#random.chance(0.5) ? (names.at(-1) as TrashName) : this.#random.pick(names)
    if (drawn < 0.85) {
      const key = this.#random.chance(0.25) ? { key: keyOf(`k${++this.#count}`) } : {}
      const etag = this.#etags.get(path)
      const condition = this.#random.pick<Condition>(['absent', 'none', etag ? { etags: [etag] } : 'none'])
      return { kind: 'restore', path, name, condition, ...key }
    }
    if (drawn < 0.92) return { kind: 'forget', path, names: [name] }
    const agedMs = this.#agedMs() * (this.#random.chance(0.5) ? 1 : 1_000)
    return { kind: 'forget', path, names, agedMs }
  }

  /** The age of what may go, ms of a node. */
  #agedMs(): number {
    return TRASH_MS * (this.#init.whole === true ? NODE_MS : 1)
  }

  #body(isLarge = this.#random.chance(this.#init.large)): Body {
    const name = (++this.#count).toString(16)
    const blobId = name.padStart(32, '0') as BlobId
    const content = isLarge ? { blobId } : { inline: new Uint8Array(1) }
    return { size: 1, sha256: name.padStart(64, '0'), blockChecksums: [0], content }
  }
}

function keyOf(key: string): IdempotencyKey {
  return { key, fingerprint: 'same', expiresAtMs: Number.MAX_SAFE_INTEGER }
}

function pathsOf(request: Wish): string[] {
  return 'path' in request ? [request.path] : [request.from, request.to]
}
