/**
 * The scenario `chain`: the protocol of src/views and src/replication/chain in a simulated network, with clients,
 * a nemesis, invariants after every event and a verdict on the history at the end.
 */

import type { ChainRecord } from '../../replication/chain/chain-record.ts'
import type { MachineEvent } from '../../replication/chain/machine.ts'
import type { Machine } from '../../replication/chain/machine-parts.ts'
import { blobOf, type Member, type Outcome, type Write } from '../../replication/chain/machine-state.ts'
import { ringOf } from '../../replication/chain/repair.ts'
import type { ClientRequest } from '../../replication/entry/requests.ts'
import { arcContains } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { placeReplicas } from '../../ring/placement.ts'
import { trashedAt, trashPathOf } from '../../ring/trash-path.ts'
import type { TrashName } from '../../storage/trash-name.ts'
import { serves } from '../../views/install.ts'
import { acceptorCount, type View, type ViewId } from '../../views/view.ts'
import { ChainCluster } from './chain-cluster.ts'
import { ChainInvariants } from './chain-invariants.ts'
import { ChainNemesis } from './chain-nemesis.ts'
import type { ChainNode } from './chain-node.ts'
import { SLOW_SYNC_MS } from './chain-troubles.ts'
import { ChainWorkload, TRASH_MS } from './chain-workload.ts'
import { type World, worldOf } from './chain-world.ts'
import { DiskCopies } from './disk-copies.ts'
import { hasSound } from './expendables.ts'
import { InvariantBroken } from './invariant-broken.ts'
import { beliefsGoneWrong } from './last-beliefs.ts'
import { lookupsGoneWrong } from './last-lookups.ts'
import { checkHistory } from './linearizability.ts'
import type { RunOptions, RunResult, Scenario } from './scenario.ts'
import { SeededRandom } from './seeded-random.ts'
import { SIMULATED_SETTINGS } from './simulated-settings.ts'
import { type Failure, type Subjects, Transcript } from './transcript.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Virtual ms of healing, before the run counts as stuck. */
const HEALING_MS = 12_000

/** Virtual ms between two looks at whether the network has healed; each is also a `verify` at every node. */
const LOOK_MS = 150

/** Clients ask for this long after the trouble has ended. */
const AFTERWARDS_MS = 60

export const scenario: Scenario = {
  name: 'chain',
  // test/mutants changes the sources instead.
  mutants: [],
  run: async (seed, options) => await new ChainRun(seed, options).run(),
}

class ChainRun {
  readonly #clock: VirtualClock
  readonly #random: SeededRandom
  readonly #transcript: Transcript
  readonly #world: World
  readonly #cluster: ChainCluster
  readonly #invariants: ChainInvariants
  readonly #copies = new DiskCopies<ChainNode>(
    {
      members: () => this.#cluster.nodes.filter(node => ['member', 'leaving'].includes(this.#statusOf(node))),
      isLeaving: node => this.#statusOf(node) === 'leaving',
    },
    { copies: SIMULATED_SETTINGS.replicas },
  )
  readonly #workload: ChainWorkload
  readonly #nemesis: ChainNemesis
  readonly #options: RunOptions
  /** Files whose body nobody has after a recovery by force, and which a user has been told to remove. */
  readonly #bodiless = new Set<PathName>()
  #clocksApartMs = 0

  constructor(seed: number, options: RunOptions) {
    if (options.schedule !== undefined && options.schedule.scenario !== 'chain') {
      throw new TypeError(`This schedule is for the scenario ${options.schedule.scenario}.`)
    }
    this.#options = options
    this.#random = new SeededRandom(seed)
    const random = this.#random
    const world = worldOf(random, options.schedule?.world)
    this.#world = world
    const clock = new VirtualClock({ hasStreams: world.whole })
    this.#clock = clock
    this.#transcript = new Transcript({ clock }, { write: options.transcript })
    const transcript = this.#transcript
    this.#invariants = new ChainInvariants({ cluster: () => this.#cluster })
    const invariants = this.#invariants
    this.#cluster = new ChainCluster(
      {
        clock,
        random,
        transcript,
        stepped: (node, event, writes) => this.#stepped(node, event, writes),
        durable: (node, writes) => {
          invariants.durable(node, writes)
          this.#copies.durable(node, writes)
        },
        asked: (node, request) => {
          invariants.answers.asked(request)
          this.#workload.asked(node, request)
        },
        readAtOnce: (path, record) => invariants.answers.readAtOnce(path, record),
        answered: (request, outcome) => this.#answered(request, outcome),
        sent: envelope => invariants.sent(envelope),
        wentDown: node => this.#workload.lost(node),
      },
      {
        ...world,
        settings: {
          ...SIMULATED_SETTINGS,
          listedMax: world.listedMax,
          outcomesKeptMs: world.outcomesKeptMs,
          trashMs: world.trash ? TRASH_MS : 0,
          differenceBytesMax: random.fork('messages').pick([0, 512 * 1024]),
        },
      },
    )
    const cluster = this.#cluster
    this.#workload = new ChainWorkload(
      { clock, random, transcript, cluster },
      { ...world, untilMs: world.troubleMs + AFTERWARDS_MS },
    )
    this.#nemesis = new ChainNemesis({
      clock,
      random,
      transcript,
      cluster,
      invariants,
      ask: (node, order) => this.#workload.order(node, order),
    })
  }

  #stepped(node: ChainNode, event: MachineEvent, writes: readonly Write[]): void {
    const lost = event.kind === 'body-lost' ? event.blobId : undefined
    if (event.kind === 'start') {
      this.#invariants.started(node)
      this.#copies.started(node)
    }
    if (lost !== undefined) this.#invariants.bodyLost(lost)
    this.#invariants.stepped(node, writes)
    this.#copies.stepped(node, writes, lost)
    this.#workload.stepped(writes)
  }

  #statusOf(node: ChainNode): string {
    return this.#cluster.members.get(node.id)?.status ?? ''
  }

  #answered(request: ClientRequest, outcome: Outcome): void {
    this.#invariants.answers.answered(request, outcome)
    if (outcome.kind !== 'done' || !('path' in request)) return
    this.#invariants.acknowledged(request.path, outcome.version)
    // Where force was used nothing is promised, of a view that gives way to another neither.
    if (!this.#invariants.isForced(request.path)) this.#copies.acknowledged(request.path, outcome.version)
  }

  async run(): Promise<RunResult> {
    const failure = await this.#failure()
    this.#options.history?.(this.#workload.operations())
    const digest = this.#transcript.digest()
    const views = this.#invariants.active.size
    const virtualMs = Math.ceil(this.#clock.monotonicMs())
    const { steps } = this.#clock
    const base = { views, steps, virtualMs, clocksApartMs: this.#clocksApartMs, digest }
    const actions = this.#options.schedule === undefined ? { actions: this.#nemesis.done } : {}
    if (failure === undefined) return { ok: true, ...base, ...actions }
    this.#transcript.tell(failure)
    return { ok: false, failure: failure.reason, ...base, ...actions }
  }

  async #failure(): Promise<Failure | undefined> {
    try {
      await this.#trouble()
      return (await this.#healing()) ?? (await this.#verdict())
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const subjects: Subjects = error instanceof InvariantBroken ? error.subjects : '*'
      const isOurs = error instanceof InvariantBroken
      return { reason: isOurs ? reason : `${reason}\n${(error as Error).stack}`, subjects }
    }
  }

  async #trouble(): Promise<void> {
    this.#cluster.found()
    this.#workload.run()
    const { schedule } = this.#options
    if (schedule === undefined) this.#nemesis.draw(this.#world.troubleMs)
    else this.#nemesis.follow(schedule.actions)
    await this.#clock.runSettled(this.#world.troubleMs)
    this.#invariants.assertBodies(this.#workload.paths)
    const clocks = this.#cluster.nodes.flatMap(node => (node.running ? [node.wallClock.nowMs()] : []))
    this.#clocksApartMs = clocks.length === 0 ? 0 : Math.max(...clocks) - Math.min(...clocks)
    this.#nemesis.heal()
    await this.#clock.runSettled(this.#world.troubleMs + AFTERWARDS_MS)
  }

  /**
   * After the trouble, every call finishes and the replicas are the successors. In half of the worlds nobody does anything for
   * that but ask for files, as users do.
   */
  async #healing(): Promise<Failure | undefined> {
    const untilMs = this.#world.troubleMs + AFTERWARDS_MS + HEALING_MS
    let wrong: string | undefined = 'nothing'
    for (let look = 0; this.#clock.monotonicMs() < untilMs; look++) {
      for (const node of this.#cluster.nodes) {
        if (node.machine === undefined) this.#nemesis.heal()
        if (this.#world.verifies || look === 0) this.#cluster.tell(node)
        // A node that leaves is reminded by itself (membership/departure.ts).
        const isReminded = this.#world.verifies || this.#statusOf(node) === 'leaving'
        if (isReminded && look % 2 === 0) node.handle({ kind: 'verify' })
        this.#retire()
      }
      if (!this.#world.verifies) this.#askAbout(look)
      await this.#clock.runSettled(this.#clock.monotonicMs() + LOOK_MS)
      wrong = this.#workload.busy ? 'a call has no answer' : this.#unhealed()
      if (wrong === undefined) return undefined
    }
    return { reason: `Not healed: ${wrong}`, subjects: '*' }
  }

  /** Clients ask one node after the other for every file. */
  #askAbout(look: number): void {
    const nodes = this.#cluster.nodes.filter(node => node.running && this.#cluster.isMember(node))
    const node = nodes[look % Math.max(1, nodes.length)]
    if (node === undefined) return
    for (const path of this.#workload.paths) this.#workload.ask('asks', node, { kind: 'get', path }, false)
  }

  /** Leaving nodes that hold no view any more are gone. */
  #retire(): void {
    if (this.#world.whole) return
    for (const node of this.#cluster.nodes) {
      const leaving = this.#cluster.members.get(node.id)?.status === 'leaving'
      if (leaving && node.machine?.views.size === 0) this.#cluster.retire(node)
    }
  }

  #unhealed(): string | undefined {
    const { members } = this.#cluster
    if ([...members.values()].some(({ status }) => status === 'leaving')) return 'a node cannot leave'
    const nodes = this.#cluster.nodes.filter(node => this.#cluster.isMember(node))
    if (nodes.some(({ running }) => !running)) return 'a node waits for its disk'
    const serving = new Map<string, View>()
    for (const node of nodes) {
      for (const state of node.machine?.views.values() ?? []) {
        const { view, complete } = state
        if (!serves(state) || view.replicas[0] !== node.id) continue
        if (complete || this.#bodilessIn(view).length > 0) serving.set(view.id, view)
      }
    }
    for (const path of this.#workload.paths) {
      const wrong = this.#unhealedPath(path, [...serving.values()])
      if (wrong !== undefined) return wrong
    }
    return this.#removeBodiless([...serving.values()])
  }

  /** What has no body any more goes by its users' hands; then the range has to be complete. */
  #removeBodiless(views: readonly View[]): string | undefined {
    const paths = views.flatMap(view => this.#bodilessIn(view))
    const node = this.#cluster.nodes.find(each => this.#cluster.isMember(each))
    for (const path of paths) {
      if (node === undefined || this.#bodiless.has(path)) continue
      this.#bodiless.add(path)

      const trashed = trashedAt(path)
      if (trashed === undefined) this.#workload.order(node, { client: 'mends', kind: 'remove', path })
      else this.#forget(node, trashed.path, trashed.name)
    }
    return paths.length === 0 ? undefined : `nobody has the body of ${paths.join()}`
  }

  #forget(node: ChainNode, path: PathName, name: string): void {
    const request = { kind: 'forget', path, names: [name as TrashName] } as const
    this.#workload.ask('mends', node, request, false)
  }

  #unhealedPath(path: PathName, serving: readonly View[]): string | undefined {
    const position = this.#workload.positionOf(path)
    const views = serving.filter(view => arcContains(view, position))
    const view = views[0]
    if (view === undefined || views.length > 1) return `${views.length} views serve ${path}`
    if (this.#invariants.isForced(path) && this.#activeAt(position).size > 1)
      return `${[...this.#activeAt(position)].join(' and ')} are active for ${path}`
    const members = [...this.#cluster.members.values()]
    const wanted = placeReplicas(ringOf(members), view.hi, SIMULATED_SETTINGS.replicas)
    if (wanted.join() !== view.replicas.join())
      return `${view.id} of ${path} has ${view.replicas}, not ${wanted}`
    const present = members.filter(({ status }) => status === 'member')
    const zonesOf = (nodes: readonly Member[]) => new Set(nodes.map(({ zone, node }) => zone ?? node)).size
    const held = zonesOf(present.filter(({ node }) => view.replicas.includes(node)))
    if (held < Math.min(SIMULATED_SETTINGS.replicas, zonesOf(present)))
      return `${view.id} of ${path} lies in ${held} zones only`
    // One silent node beside an even number goes on deciding (docs/decisions/0312), also when it never comes back.
    const silent = view.acceptors.filter(id => !present.some(({ node }) => node === id)).length
    const count = acceptorCount(present.length, SIMULATED_SETTINGS.replicas)
    const allowed = silent === 0 ? count : acceptorCount(present.length + 1, SIMULATED_SETTINGS.replicas)
    if (silent > 1 || (silent === 1 && allowed === count) || view.acceptors.length !== allowed)
      return `${view.id} of ${path} has the acceptors ${view.acceptors}, of ${present.length} nodes`
    return this.#differs(path, view)
  }

  /** Files of a view whose only bodies force gave up. */
  #bodilessIn(view: View): PathName[] {
    const { nodes } = this.#cluster
    const head = nodes.find(({ id }) => id === view.replicas[0])?.machine
    const isBodiless = (record: ChainRecord) => {
      const blobId = blobOf(record)?.blobId
      return blobId !== undefined && !nodes.some(node => hasSound(node, blobId))
    }
    const paths = [...(head?.records.within(view) ?? [])].filter(isBodiless).map(({ path }) => path)
    return paths.filter(path => this.#invariants.isForced(path))
  }

  /** The views that any running node would serve a position in. */
  #activeAt(position: Identifier): Set<ViewId> {
    const states = this.#cluster.nodes.flatMap(node => [...(node.machine?.views.values() ?? [])])
    const active = states.filter(state => serves(state) && arcContains(state.view, position))
    return new Set(active.map(({ view }) => view.id))
  }

  /** All replicas have the same record, the same trash and the bodies of both. */
  #differs(path: PathName, view: View): string | undefined {
    const bodiless = this.#bodilessIn(view)
    const lacks = (machine: Readonly<Machine> | undefined, record: ChainRecord) => {
      const blobId = blobOf(record)?.blobId
      const isHere = blobId === undefined || machine?.blobs.has(blobId) || bodiless.includes(record.path)
      return isHere ? '' : ' without body'
    }
    const machines = view.replicas.map(id => this.#cluster.nodes.find(node => node.id === id)?.machine)
    const versions = machines.map(machine => {
      const record = machine?.records.get(path)
      const trash = (record?.trash ?? []).map(name => {
        const version = machine?.records.get(trashPathOf(path, name))
        return version === undefined ? `${name} without record` : `${name}${lacks(machine, version)}`
      })
      const shown = trash.length === 0 ? '' : ` with ${trash} in the trash`
      if (record?.body === undefined) return `absent${shown}`
      return `${record.version.epoch}.${record.version.seq}${lacks(machine, record)}${shown}`
    })
    if (new Set(versions).size === 1 && !versions[0]?.includes('without')) return undefined
    return `replicas of ${path} differ: ${versions.join(', ')}`
  }

  #lost(): Promise<string | undefined> {
    return lookupsGoneWrong(
      { clock: this.#clock, nodes: this.#cluster.nodes.filter(node => this.#cluster.isMember(node)) },
      {
        positions: this.#workload.paths.map(path => this.#workload.positionOf(path)),
        serving: position => this.#activeAt(position),
        timeoutMs: 2 * SIMULATED_SETTINGS.requestTimeoutMs,
      },
    )
  }

  #doubted(): Promise<string | undefined> {
    const nodes = this.#cluster.nodes.filter(node => this.#cluster.isMember(node))
    return beliefsGoneWrong({ clock: this.#clock, nodes })
  }

  /** Reads everything once more, and judges the history. */
  async #verdict(): Promise<Failure | undefined> {
    const node = this.#cluster.nodes.find(each => this.#cluster.isMember(each))
    if (node === undefined) return { reason: 'Nobody is left', subjects: '*' }
    for (const path of this.#workload.paths) {
      // What force has left is not what was told before, but everybody has to see the same of it.
      const nodes = this.#invariants.isForced(path) ? this.#cluster.nodes : [node]
      for (const each of nodes.filter(one => this.#cluster.isMember(one)))
        this.#workload.ask('last', each, { kind: 'get', path })
    }
    // A sync that a slow disk has begun takes its time, also when all trouble is over; what a node says waits for it.
    const waitMs = 2 * SIMULATED_SETTINGS.requestTimeoutMs + SLOW_SYNC_MS[1]
    for (const untilMs = this.#clock.monotonicMs() + waitMs; this.#workload.busy; ) {
      if (this.#clock.monotonicMs() >= untilMs) break
      await this.#clock.runSettled(this.#clock.monotonicMs() + LOOK_MS)
    }
    if (this.#workload.busy) return { reason: 'A last read has no answer', subjects: '*' }
    const unread = this.#workload
      .operations()
      .find(({ client, answer }) => client === 'last' && answer.kind === 'refused')
    if (unread !== undefined)
      return { reason: `${unread.path} can't be read after healing`, subjects: [unread.path] }
    this.#invariants.assertBodies(this.#workload.paths)
    const lost = this.#world.whole ? ((await this.#lost()) ?? (await this.#doubted())) : undefined
    if (lost !== undefined) return { reason: lost, subjects: '*' }
    const operations = this.#workload.operations()
    for (const path of this.#workload.paths) {
      const last = operations.filter(each => each.client === 'last' && each.path === path)
      const told = new Set(last.map(({ answer }) => JSON.stringify(answer)))
      if (told.size > 1) return { reason: `${path} is read as ${[...told].join(' and ')}`, subjects: [path] }
    }
    const result = checkHistory(operations.filter(({ path }) => !this.#invariants.isForced(path as PathName)))
    if (!result.ok) return { reason: `${result.verdict}\n${result.explanation}`, subjects: [result.path] }
    return undefined
  }
}
