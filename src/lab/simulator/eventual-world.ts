/**
 * A world of nodes that keep files with eventual consistency, with the troubles of the chain that concern how files are kept: cuts in one or both directions, messages that are lost, late or
 * told twice, crashes between a write and its flush, disks that are slow, full or lost, bodies that travel apart from their records, ranges that change hands, and
 * clocks that are hours off. In the end everything heals, and the invariants of the model have to hold.
 *
 * Restored disks, strangers, pauses and routes are in the worlds of whole nodes (eventual-scenario.ts); these here have more writes to a path, later messages and longer cuts.
 *
 * A disk that is lost takes with it what lay nowhere else: writes, and what was known of them as replaced. Everything else holds as before.
 */
import { createHash } from 'node:crypto'
import { StoreError } from '../../errors.ts'
import { actorOf } from '../../replication/eventual/dot.ts'
import type { EventualAsk, EventualAsks, EventualPeers } from '../../replication/eventual/eventual-calls.ts'
import { EventualNode } from '../../replication/eventual/eventual-node.ts'
import { stateOf } from '../../replication/eventual/eventual-record.ts'
import { heldOf } from '../../replication/eventual/kept-record.ts'
import { identifierOfPath, type NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId } from '../../storage/record.ts'
import type { ReplicaBatch, ReplicaStore } from '../../storage/replica-store.ts'
import { SLOW_SYNC_MS } from './chain-troubles.ts'
import { before, onlyRefusals, Place, standingAtRest, watchAccepting } from './eventual-place.ts'
import { InvariantBroken } from './invariant-broken.ts'
import { SeededRandom } from './seeded-random.ts'
import { SkewedClock } from './skewed-clock.ts'
import { VirtualClock } from './virtual-clock.ts'
import { WrittenVersions } from './written-versions.ts'

const COPIES = 3
const PATHS = 6

/** How long there is trouble, virtual ms, and how long everything may take to come to rest after that. */
const TROUBLE_MS = 60_000
const REST_MS = 240_000

/** An asking node waits so long, ms. */
const ANSWER_MS = 400

/** How late a question may come once more, ms: views, starts, disks and their retirement have gone by. */
const LATE_MS = 200_000

/** So little is kept of what was seen that it is collected again and again, while everything else happens. */
const SPANS_KEPT = 2

/** Hours that a clock may be off, either way. */
const HOURS_OFF_MAX = 6

/** What happened in one world. */
export interface EventualWorldReport {
  readonly accepted: number
  readonly conflicts: number
  readonly collected: number
  readonly crashes: number
  /** Writes with a body of their own, disks that were lost, and changes that a full disk refused. */
  readonly large: number
  readonly wiped: number
  readonly full: number
  /** Of everything that came onto a disk, and when: two runs of a seed give the same. */
  readonly digest: string
}

/** Runs the world of a seed to its end. @throws InvariantBroken. */
export async function runEventualWorld(seed: number): Promise<EventualWorldReport> {
  return new EventualWorld(seed).run()
}

class EventualWorld {
  readonly #seed: number
  readonly #random: SeededRandom
  readonly #clock = new VirtualClock()
  readonly #places: Place[] = []
  readonly #paths: readonly PathName[]
  #views: ReadonlyMap<PathName, readonly NodeId[]> = new Map()
  #epoch = 0
  /** From, to. */
  readonly #cuts = new Set<string>()
  #loss = 0
  #calm = false
  #requests = 0
  #accepted = 0
  #crashes = 0
  readonly #versions = new WrittenVersions({ broken: what => this.#broken(what) })
  /** Nodes whose disk was lost, and the epoch from which on everybody knows that they are gone. */
  readonly #gone = new Map<NodeId, number>()
  readonly #digest = createHash('sha256')
  #large = 0
  #full = 0
  /** Whether an operator asks for everything to be compared while the network heals. */
  readonly #isAsked: boolean

  constructor(seed: number) {
    this.#seed = seed
    this.#random = new SeededRandom(seed)
    this.#isAsked = this.#random.fork('healing').chance(0.5)
    this.#paths = Array.from({ length: PATHS }, (_, index) => `path/${index}` as PathName)
    const nodes = this.#random.int(3, 6)
    for (let index = 0; index < nodes; index++) {
      const hours = this.#random.chance(0.3) ? this.#random.int(-HOURS_OFF_MAX, HOURS_OFF_MAX) : 0
      const skew = { aheadMs: hours * 3_600_000, drift: this.#random.between(-0.001, 0.001) }
      this.#places.push(new Place(`n${index}` as NodeId, new SkewedClock({ world: this.#clock }, skew)))
    }
  }

  async run(): Promise<EventualWorldReport> {
    this.#changeViews()
    for (const place of this.#places) this.#begin(place)
    while (this.#clock.monotonicMs() < TROUBLE_MS) {
      await this.#pass(this.#random.int(1, 400))
      this.#act()
    }
    const conflicts = this.#total(node => node.replica.table.counts.conflicts)
    await this.#heal()
    this.#judge()
    const collected = this.#total(node => node.replica.counts.collected)
    const [accepted, crashes, large, full] = [this.#accepted, this.#crashes, this.#large, this.#full]
    const counts = { accepted, conflicts, collected, crashes, large, full, wiped: this.#gone.size }
    return { ...counts, digest: this.#digest.digest('hex') }
  }

  #act(): void {
    const random = this.#random
    const place = random.pick(this.#places)
    const what = random.int(0, 99)
    if (what < 60) void this.#request(place, random.pick(this.#paths), random.chance(0.3))
    else if (what < 66) this.#cut()
    else if (what < 72) this.#cuts.clear()
    else if (what < 75) this.#loss = random.chance(0.5) ? random.between(0, 0.4) : 0
    else if (what < 83) this.#crash(place)
    else if (what < 88) this.#changeViews()
    else if (what < 92) place.wallClock.jump(random.int(-3, 3) * 3_600_000)
    else if (what < 94) place.isFull = !place.isFull
    else if (what < 95) this.#wipe(place)
    else if (what < 96) place.syncMs = place.syncMs > 0 ? 0 : random.between(...SLOW_SYNC_MS)
    else void place.node?.heal().catch(onlyRefusals)
  }

  async #pass(ms: number): Promise<void> {
    await this.#clock.runSettled(this.#clock.monotonicMs() + ms)
  }

  /** A client asks at a node, which offers the change as EventualReplication does. */
  async #request(entry: Place, path: PathName, isRemoval: boolean): Promise<void> {
    if (entry.node === undefined) return
    const request = `r${++this.#requests}`
    const body = Buffer.from(request)
    const blobId = `blob-${request}` as BlobId
    const isLarge = !isRemoval && this.#random.chance(0.3)
    if (isLarge) {
      this.#large++
      entry.blobs.add(blobId)
    }
    const content = isLarge ? { blobId } : { inline: body }
    const digest = { size: body.length, sha256: body.toString('hex').padEnd(64, '0'), blockChecksums: [0] }
    const file = isRemoval ? undefined : { body: { ...digest, content }, meta: { mediaType: 'text/plain' } }
    const acceptance = { path, condition: 'none', request, file } as const
    const replicas = entry.views.get(path) ?? []
    const others = this.#random.shuffle(this.#places.map(({ id }) => id)).slice(0, 2)
    for (const node of new Set([...replicas, ...others, entry.id])) {
      try {
        if (isLarge && node !== entry.id)
          await this.#peersOf(entry).pushBody(node, { blobId, sha256: digest.sha256 })
        const accepted = await this.#peersOf(entry).ask(node, 'accept', acceptance)
        if (accepted.kind === 'no-body') continue
        if (accepted.kind === 'done') this.#accepted++
        return
      } catch (error) {
        onlyRefusals(error)
      }
    }
  }

  #cut(): void {
    const side = new Set(this.#places.filter(() => this.#random.chance(0.5)).map(({ id }) => id))
    const oneWay = this.#random.chance(0.3)
    for (const { id: a } of this.#places)
      for (const { id: b } of this.#places)
        if (side.has(a) !== side.has(b) && (!oneWay || side.has(a))) this.#cuts.add(`${a} ${b}`)
  }

  /** Each path is kept by some nodes; who hears of it late is a superseded replica, or does not know that it is one. */
  #changeViews(): void {
    const random = this.#random
    const views = new Map(this.#views)
    for (const path of this.#paths) {
      if (views.has(path) && !random.chance(0.4)) continue
      const ids = random.shuffle(this.#places.map(({ id }) => id))
      views.set(path, ids.slice(0, Math.min(COPIES, ids.length)))
    }
    this.#views = views
    this.#tellViews()
  }

  #tellViews(): void {
    const random = this.#random
    const views = this.#views
    this.#epoch++
    for (const place of this.#places) {
      const epoch = this.#epoch
      const learn = () => {
        // What is newer is known already.
        if (place.epoch > epoch) return
        place.epoch = epoch
        place.views = views
        place.node?.syncing.viewsChanged()
      }
      this.#clock.after(random.chance(0.5) ? 1 : random.int(1, 8_000), learn)
    }
  }

  #crash(place: Place): void {
    if (place.node === undefined) return
    this.#crashes++
    this.#end(place)
    this.#clock.after(this.#random.int(10, 6_000), () => this.#begin(place))
  }

  #end(place: Place): void {
    place.node?.close()
    place.node = undefined
    place.start++
    place.accepting.clear()
    place.sweep()
  }

  /** The disk is lost: the node comes back as a new one, and the operator retires what it was. */
  #wipe(place: Place): void {
    if (place.node === undefined) return
    this.#versions.lose(place, this.#paths, this.#places)
    this.#end(place)
    const was = place.id
    place.id = `${was.split('.')[0]}.${this.#gone.size + 1}` as NodeId
    place.empty()
    const views = [...this.#views].map(
      ([path, nodes]) => [path, nodes.map(id => (id === was ? place.id : id))] as const,
    )
    this.#views = new Map(views)
    this.#gone.set(was, this.#epoch + 1)
    this.#tellViews()
    this.#clock.after(this.#random.int(10, 6_000), () => this.#begin(place))
  }

  #begin(place: Place): void {
    if (place.node !== undefined) return
    const start = ++place.start
    // A disk that was put back counts its starts from where it was: only the nonce tells them apart.
    const nonce = Buffer.from(this.#random.bytes(8)).toString('hex')
    const boot = { counter: this.#random.int(1, 2), nonce }
    const env = this.#clock.env({
      randomness: this.#random.fork(`${place.id}/${start}`),
      log: { debug() {}, info() {}, warn() {}, error() {} },
      clock: place.wallClock,
    })
    const keeps = (path: PathName) => place.views.get(path) ?? []
    const byPosition = new Map(this.#paths.map(path => [identifierOfPath(path) as string, path]))
    const replicasOf = (position: string) => keeps(byPosition.get(position) as PathName)
    const isAlive = (id: NodeId) => this.#calm || !this.#cuts.has(`${place.id} ${id}`)
    place.node = new EventualNode(
      {
        env,
        store: this.#watched(place, start),
        lookUp: async () => undefined,
        peers: this.#peersOf(place),
        responsibility: {
          self: place.id,
          replicasOf,
          // Each path is a range of its own.
          ownRanges: () =>
            this.#paths
              .filter(path => keeps(path).includes(place.id))
              .map(path => {
                const hi = identifierOfPath(path)
                const lo = before(hi)
                const isHead = keeps(path).find(id => id === place.id || isAlive(id)) === place.id
                return { id: `${path} ${keeps(path).join()}`, lo, hi, nodes: keeps(path), isHead }
              }),
          isAlive,
          isGone: id => (this.#gone.get(id) ?? Number.POSITIVE_INFINITY) <= place.epoch,
          copiesWanted: () => COPIES,
        },
      },
      { actor: actorOf(place.id, boot), spansKept: SPANS_KEPT },
    )
    watchAccepting(place, place.node)
    place.node.syncing.viewsChanged()
  }

  /** The disk: a batch takes its time, and is gone when the process ends before that. */
  #watched(place: Place, start: number): ReplicaStore {
    const { store } = place
    const apply = async (batch: ReplicaBatch) => {
      await this.#clock.sleep(this.#random.between(0.1, 4) + (this.#calm ? 0 : place.syncMs))
      if (place.start !== start) return new Promise<never>(() => undefined)
      if (place.isFull && !this.#calm) {
        this.#full++
        throw new StoreError('DISK_FULL', 'No space is left.')
      }
      for (const { path, record } of batch.records) {
        const was = store.record(path)
        this.#versions.note(place, was && heldOf(was).record, record && heldOf(record).record)
        const state = record && stateOf(heldOf(record).record)
        this.#digest.update(
          `${this.#clock.monotonicMs()} ${place.id} ${path} ${state?.epoch} ${state?.seq}\n`,
        )
      }
      await store.apply(batch)
    }
    return new Proxy(store, {
      get: (target, name: keyof ReplicaStore) =>
        name === 'apply' ? apply : (target[name] as CallableFunction).bind(target),
    })
  }

  #peersOf(from: Place): EventualPeers {
    return {
      ask: (node, kind, ask) => this.#ask(from, node, kind, ask),
      pushBody: (node, { blobId }) => this.#carry(from, this.#placeOf(node), blobId),
      pullBody: async (node, _path, { blobId }) => {
        const [first, ...others] = [this.#placeOf(node), ...this.#places].filter(place =>
          place?.blobs.has(blobId),
        )
        await this.#carry(first ?? others[0], from, blobId)
      },
    }
  }

  #placeOf(node: NodeId): Place | undefined {
    return this.#places.find(({ id }) => id === node)
  }

  /** Brings a large body from one disk to another. */
  async #carry(from: Place | undefined, to: Place | undefined, blobId: BlobId): Promise<void> {
    if (from === undefined || !from.blobs.has(blobId))
      throw new StoreError('FILE_NOT_FOUND', 'The body is not here.')
    const { start } = to ?? {}
    await this.#clock.sleep(this.#random.between(0.5, 50))
    const isCut = !this.#calm && to !== undefined && from !== to && this.#cuts.has(`${from.id} ${to.id}`)
    if (to?.node === undefined || isCut || to.start !== start)
      throw new StoreError('UNAVAILABLE', 'No answer.')
    if (to.isFull && !this.#calm) throw new StoreError('DISK_FULL', 'No space is left.')
    to.blobs.add(blobId)
  }

  /** A question and its answer; either may be lost, and the question may be told once more, much later. */
  #ask<Kind extends EventualAsk>(
    from: Place,
    to: NodeId,
    kind: Kind,
    ask: EventualAsks[Kind]['ask'],
  ): Promise<EventualAsks[Kind]['answer']> {
    const place = this.#placeOf(to)
    const random = this.#random
    const fails = (a: NodeId, b: NodeId) =>
      a !== b && !this.#calm && (this.#cuts.has(`${a} ${b}`) || random.chance(this.#loss))
    return new Promise((resolve, reject) => {
      const silent = () => reject(new StoreError('UNAVAILABLE', 'No answer.'))
      const timer = this.#clock.after(ANSWER_MS, silent)
      const deliver = async () => {
        if (place?.node === undefined || place.id !== to) return
        const answer = await place.node.answer(kind, ask).catch(onlyRefusals)
        if (answer === undefined || fails(to, from.id)) return
        this.#clock.after(random.between(0.2, 10), () => {
          timer.cancel()
          resolve(answer as EventualAsks[Kind]['answer'])
        })
      }
      if (fails(from.id, to)) return
      const delayMs =
        from.id === to ? 0 : random.chance(0.02) && !this.#calm ? 2 * ANSWER_MS : random.between(0.2, 10)
      this.#clock.after(delayMs, () => void deliver())
      // A write that comes once more is that write; so the client's own request is left out here.
      if (kind !== 'accept' && random.chance(0.05) && !this.#calm)
        this.#clock.after(random.int(1, random.chance(0.2) ? LATE_MS : 20_000), () => void deliver())
    })
  }

  async #heal(): Promise<void> {
    this.#calm = true
    this.#cuts.clear()
    const untilMs = this.#clock.monotonicMs() + REST_MS
    while (this.#clock.monotonicMs() < untilMs) {
      if (this.#isAsked) for (const { node } of this.#places) void node?.heal().catch(onlyRefusals)
      await this.#pass(10_000)
    }
  }

  #judge(): void {
    const network = { paths: this.#paths, views: this.#views, places: this.#places }
    const standing = standingAtRest(network, what => this.#broken(what))
    this.#versions.judge(standing, this.#total(node => node.replica.counts.siblingsDropped) > 0)
  }

  #total(count: (node: EventualNode) => number): number {
    return this.#places.reduce((sum, { node }) => sum + (node === undefined ? 0 : count(node)), 0)
  }

  #broken(what: string): InvariantBroken {
    const atMs = Math.round(this.#clock.monotonicMs())
    return new InvariantBroken(`Seed ${this.#seed}, at ${atMs} ms: ${what}`, '*')
  }
}
