/**
 * Clients of a network with eventual consistency: they put, remove, copy, move and read at any node, and ask another one when they are not told what became of a request.
 * What becomes of their writes is judged by what is durable (written-versions.ts); whatever they read has the bytes that were sent.
 */
import type { IdempotencyKey } from '../../replication/chain/chain-record.ts'
import type { Condition } from '../../replication/replication.ts'
import { type PathName, parsePathName } from '../../ring/path-name.ts'
import { type BlobId, type Body, type ETag, etagOf } from '../../storage/record.ts'
import type { ChainCluster } from './chain-cluster.ts'
import type { ChainNode } from './chain-node.ts'
import type { World } from './chain-world.ts'
import type { Told, Wish } from './client-request.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Transcript } from './transcript.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Virtual ms between two requests of a client. */
const THINK_MS = [1, 25] as const

/** How often a request with a key is asked again, each time at another node. */
const TRIES_MAX = 3

/** Virtual ms until every node has answered a last read. */
const LAST_MS = 5_000
const LOOK_MS = 50

interface Pending {
  readonly node: ChainNode
  readonly client: string
  readonly request: Wish
  readonly tries: number
  /** Undefined: the node went down. */
  readonly told: (told: Told | undefined) => void
}

export interface ClientsComponents {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly transcript: Transcript
  readonly cluster: ChainCluster
}

export class EventualClients {
  readonly paths: readonly PathName[]
  readonly #components: ClientsComponents
  readonly #init: Pick<World, 'clients' | 'large'> & { readonly untilMs: number }
  readonly #random: SeededRandom
  readonly #pending = new Map<string, Pending>()
  readonly #etags = new Map<PathName, ETag>()
  #count = 0

  constructor(
    components: ClientsComponents,
    init: Pick<World, 'clients' | 'paths' | 'large'> & { readonly untilMs: number },
  ) {
    this.#components = components
    this.#init = init
    this.#random = components.random.fork('clients')
    this.paths = Array.from({ length: init.paths }, (_, index) => parsePathName(`p${index}`))
  }

  get busy(): boolean {
    return this.#pending.size > 0
  }

  /** Sets the clients going. */
  run(): void {
    for (let client = 1; client <= this.#init.clients; client++) this.#next(`c${client}`)
  }

  #next(client: string): void {
    const { clock } = this.#components
    clock.after(this.#random.between(...THINK_MS), () => {
      if (clock.monotonicMs() >= this.#init.untilMs) return
      const node = this.#someNode()
      if (node === undefined) this.#next(client)
      else this.#ask(client, node, this.#draw(), () => this.#next(client))
    })
  }

  #someNode(other?: ChainNode): ChainNode | undefined {
    const running = this.#components.cluster.nodes.filter(node => node.driver !== undefined && node !== other)
    return running.length === 0 ? undefined : this.#random.pick(running)
  }

  /** Clients ask one node after the other for every file. */
  askAbout(look: number): void {
    const { cluster } = this.#components
    const nodes = cluster.nodes.filter(node => node.running && cluster.isMember(node))
    const node = nodes[look % Math.max(1, nodes.length)]
    if (node === undefined) return
    for (const path of this.paths) this.#ask('asks', node, { kind: 'get', path }, () => undefined)
  }

  /** Each of these nodes is asked for every file: they have to give the same. @returns what is wrong. */
  async readAll(nodes: readonly ChainNode[]): Promise<string | undefined> {
    const { clock } = this.#components
    const read = new Map<PathName, Set<string>>(this.paths.map(path => [path, new Set()]))
    for (const node of nodes)
      for (const path of this.paths)
        this.#ask('last', node, { kind: 'get', path }, told => {
          const record = told?.kind === 'found' ? told.record : undefined
          const shown = record === undefined ? 'nothing' : etagOf(record)
          read.get(path)?.add(told?.kind === 'found' ? shown : `no answer of ${node.name}`)
        })
    const untilMs = clock.monotonicMs() + LAST_MS
    while (this.busy && clock.monotonicMs() < untilMs) await clock.runSettled(clock.monotonicMs() + LOOK_MS)
    if (this.busy) return 'a last read has no answer'
    for (const [path, shown] of read)
      if (shown.size > 1) return `${path} is read as ${[...shown].join(' and ')}`
    return undefined
  }

  /** Clients of a node that went down hear nothing more from it. */
  lost(node: ChainNode): void {
    for (const [id, pending] of [...this.#pending]) if (pending.node === node) this.#answered(id, undefined)
  }

  #ask(client: string, node: ChainNode, request: Wish, told: Pending['told'], tries = 1): void {
    const { clock, transcript } = this.#components
    const id = `${client}-${++this.#count}`
    this.#pending.set(id, { node, client, request, tries, told })
    transcript.note(node.name, 'asked', '*', () => `${id} ${JSON.stringify(request)}`)
    void node.ask(id, request).then(
      answer => clock.attempt(() => this.#answered(id, answer)),
      error => clock.fail(error),
    )
  }

  #answered(id: string, told: Told | undefined): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    const { node, client, request, tries } = pending
    this.#components.transcript.note(client, 'told', '*', () => `${id} ${JSON.stringify(told)}`)
    if (told?.kind === 'found' && told.record !== undefined)
      this.#etags.set(told.record.path, etagOf(told.record))
    const isUnknown = told === undefined || told.kind === 'unavailable' || told.kind === 'indeterminate'
    const other = this.#someNode(node)
    const hasKey = 'key' in request && request.key !== undefined
    if (!isUnknown || !hasKey || tries >= TRIES_MAX || other === undefined) return pending.told(told)
    this.#ask(client, other, request, pending.told, tries + 1)
  }

  #draw(): Wish {
    const random = this.#random
    const [path, other] = [random.pick(this.paths), random.pick(this.paths)]
    const drawn = random.fraction()
    const key = random.chance(0.25) ? { key: keyOf(`k${++this.#count}`) } : {}
    if (drawn < 0.25) return { kind: 'get', path }
    if (drawn < 0.45)
      return { kind: 'remove', condition: this.#condition(path, ['exists', 'none']), path, ...key }
    if (drawn < 0.5 && other !== path) return { kind: 'copy', from: path, to: other }
    if (drawn < 0.6 && other !== path)
      return { kind: 'move', condition: random.pick(['absent', 'none']), from: path, to: other, ...key }
    const condition = this.#condition(path, ['none', 'none', 'absent'])
    const meta = { mediaType: 'text/plain' }
    return { kind: 'put', path, body: this.#body(), meta, writtenAtMs: 0, condition, ...key }
  }

  /** One of these, or that the file is as it was last read. */
  #condition(path: PathName, others: readonly Condition[]): Condition {
    const etag = this.#etags.get(path)
    return this.#random.pick<Condition>([...others, etag ? { etags: [etag] } : 'none'])
  }

  #body(): Body {
    const name = (++this.#count).toString(16)
    const blobId = name.padStart(32, '0') as BlobId
    const content = this.#random.chance(this.#init.large) ? { blobId } : { inline: new Uint8Array(1) }
    return { size: 1, sha256: name.padStart(64, '0'), blockChecksums: [0], content }
  }
}

function keyOf(key: string): IdempotencyKey {
  return { key, fingerprint: 'same', expiresAtMs: Number.MAX_SAFE_INTEGER }
}
