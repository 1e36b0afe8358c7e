/**
 * The scenario `eventual`: whole nodes of a network with eventual consistency, with every trouble of the chain: nodes that crash, pause, move, join and leave, links that
 * are cut or slow, disks that are lost, full, slow, or put back from an old copy and started again, clocks that are hours off, strangers, and routes by path learning or by Kelips.
 * In the end everything heals, in half of the worlds without an operator, and the invariants of the model have to hold.
 */
import { identifierOfPath, type NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { ChainCluster } from './chain-cluster.ts'
import { ChainInvariants } from './chain-invariants.ts'
import { ChainNemesis } from './chain-nemesis.ts'
import type { ChainNode } from './chain-node.ts'
import { type World, worldOf } from './chain-world.ts'
import { EventualClients } from './eventual-clients.ts'
import { onlyRefusals, standingAtRest } from './eventual-place.ts'
import { NodeSeat } from './eventual-seat.ts'
import { InvariantBroken } from './invariant-broken.ts'
import { beliefsGoneWrong } from './last-beliefs.ts'
import { lookupsGoneWrong } from './last-lookups.ts'
import type { RunOptions, RunResult, Scenario } from './scenario.ts'
import { SeededRandom } from './seeded-random.ts'
import { activeViews, servingView } from './serving-views.ts'
import { SIMULATED_SETTINGS } from './simulated-settings.ts'
import { type Subjects, Transcript } from './transcript.ts'
import { VirtualClock } from './virtual-clock.ts'
import { WrittenVersions } from './written-versions.ts'

/** Virtual ms of healing, before the run counts as stuck: eight minutes of a node. */
const HEALING_MS = 12_000

/** Virtual ms between two looks at whether the network has healed. */
const LOOK_MS = 150

/** Clients ask for this long after the trouble has ended. */
const AFTERWARDS_MS = 60

/** Virtual ms until the operator has retired a node whose disk was lost. */
const RETIRED_MS = [5, 200] as const

export const scenario: Scenario = {
  name: 'eventual',
  // test/mutants changes the sources instead.
  mutants: [],
  run: async (seed, options) => await new EventualRun(seed, options).run(),
}

class EventualRun {
  readonly #clock = new VirtualClock({ hasStreams: true })
  readonly #random: SeededRandom
  readonly #transcript: Transcript
  readonly #world: World
  readonly #options: RunOptions
  readonly #invariants: ChainInvariants
  readonly #cluster: ChainCluster
  readonly #nemesis: ChainNemesis
  readonly #clients: EventualClients
  readonly #seats: ReadonlyMap<ChainNode, NodeSeat>
  readonly #versions = new WrittenVersions({ broken: what => new InvariantBroken(what, '*') })
  /** Nodes whose disks were lost. */
  readonly #lost = new Set<NodeId>()

  constructor(seed: number, options: RunOptions) {
    if (options.schedule !== undefined && options.schedule.scenario !== scenario.name)
      throw new TypeError(`This schedule is for the scenario ${options.schedule.scenario}.`)
    this.#options = options
    const random = new SeededRandom(seed)
    this.#random = random
    const world = worldOf(random, { ...options.schedule?.world, trash: false })
    this.#world = world
    const clock = this.#clock
    this.#transcript = new Transcript({ clock }, { write: options.transcript })
    const transcript = this.#transcript
    this.#invariants = new ChainInvariants({ cluster: () => this.#cluster })
    const invariants = this.#invariants
    this.#cluster = new ChainCluster(
      {
        ...{ clock, random, transcript },
        stepped: (node, event, writes) => {
          if (event.kind === 'start') invariants.started(node)
          invariants.stepped(node, writes)
        },
        durable: (node, writes) => invariants.durable(node, writes),
        sent: envelope => invariants.sent(envelope),
        asked: () => undefined,
        answered: () => undefined,
        readAtOnce: () => undefined,
        wentDown: node => this.#clients.lost(node),
        began: node => this.#began(node),
        losing: node => this.#losing(node),
      },
      { ...world, consistency: 'eventual', settings: SIMULATED_SETTINGS },
    )
    const cluster = this.#cluster
    this.#seats = new Map(cluster.nodes.map(node => [node, new NodeSeat(node)]))
    const untilMs = world.troubleMs + AFTERWARDS_MS
    this.#clients = new EventualClients({ clock, random, transcript, cluster }, { ...world, untilMs })
    const ask = () => {
      throw new TypeError('A schedule of this scenario has no requests.')
    }
    this.#nemesis = new ChainNemesis({ clock, random, transcript, cluster, invariants, ask })
  }

  async run(): Promise<RunResult> {
    const failure = await this.#failure()
    const digest = this.#transcript.digest()
    const virtualMs = Math.ceil(this.#clock.monotonicMs())
    const base = { views: this.#invariants.active.size, steps: this.#clock.steps, virtualMs, digest }
    const actions = this.#options.schedule === undefined ? { actions: this.#nemesis.done } : {}
    if (failure === undefined) return { ok: true, ...base, ...actions }
    this.#transcript.tell(failure)
    return { ok: false, failure: failure.reason, ...base, ...actions }
  }

  async #failure(): Promise<{ readonly reason: string; readonly subjects: Subjects } | undefined> {
    try {
      await this.#trouble()
      const wrong = (await this.#healing()) ?? (await this.#verdict())
      return wrong === undefined ? undefined : { reason: wrong, subjects: '*' }
    } catch (error) {
      if (error instanceof InvariantBroken) return { reason: error.message, subjects: error.subjects }
      const reason = error instanceof Error ? `${error.message}\n${error.stack}` : String(error)
      return { reason, subjects: '*' }
    }
  }

  async #trouble(): Promise<void> {
    this.#cluster.found()
    this.#clients.run()
    const { schedule } = this.#options
    if (schedule === undefined) this.#nemesis.draw(this.#world.troubleMs)
    else this.#nemesis.follow(schedule.actions)
    await this.#clock.runSettled(this.#world.troubleMs)
    this.#nemesis.heal()
    await this.#clock.runSettled(this.#world.troubleMs + AFTERWARDS_MS)
  }

  /** In half of the worlds nobody does anything for that but ask for files, as users do, and retire nodes whose disks were lost. */
  async #healing(): Promise<string | undefined> {
    const untilMs = this.#clock.monotonicMs() + HEALING_MS
    let wrong: string | undefined = 'nothing'
    for (let look = 0; this.#clock.monotonicMs() < untilMs; look++) {
      for (const node of this.#cluster.nodes) {
        if (node.machine === undefined) this.#nemesis.heal()
        const status = this.#cluster.members.get(node.id)?.status
        if ((this.#world.verifies || status === 'leaving') && look % 2 === 0) node.handle({ kind: 'verify' })
        if (this.#world.verifies && look % 8 === 0) void this.#seat(node).node?.heal()
      }
      for (const id of this.#lost) this.#retire(id)
      if (!this.#world.verifies) this.#clients.askAbout(look)
      await this.#clock.runSettled(this.#clock.monotonicMs() + LOOK_MS)
      wrong = this.#clients.busy ? 'a call has no answer' : this.#unhealed()
      if (wrong === undefined) return undefined
    }
    return `Not healed: ${wrong}`
  }

  #unhealed(): string | undefined {
    const { members } = this.#cluster
    if ([...members.values()].some(({ status }) => status === 'leaving')) return 'a node cannot leave'
    if (this.#members().some(({ running }) => !running)) return 'a node waits for its disk'
    const views = this.#views()
    if (typeof views === 'string') return views
    try {
      this.#standing(views)
      return undefined
    } catch (error) {
      if (error instanceof InvariantBroken) return error.message
      throw error
    }
  }

  /** Who keeps each path; or what is wrong with that. */
  #views(): ReadonlyMap<PathName, readonly NodeId[]> | string {
    const views = new Map<PathName, readonly NodeId[]>()
    for (const path of this.#clients.paths) {
      const found = servingView(this.#cluster, identifierOfPath(path), SIMULATED_SETTINGS.replicas)
      if (typeof found === 'string') return `${path}: ${found}`
      views.set(path, found.replicas)
    }
    return views
  }

  #standing(views: ReadonlyMap<PathName, readonly NodeId[]>): ReadonlySet<string> {
    const places = this.#members().map(node => this.#seat(node))
    const network = { paths: this.#clients.paths, views, places }
    return standingAtRest(network, what => new InvariantBroken(what, '*'))
  }

  /** Everything is read once more at each node, and every write has to stand or to be replaced by somebody who had seen it. */
  async #verdict(): Promise<string | undefined> {
    const members = this.#members()
    const read = await this.#clients.readAll(members)
    if (read !== undefined) return read
    // What was read may have been repaired, and is told to others.
    const unhealed = await this.#healing()
    if (unhealed !== undefined) return unhealed
    const views = this.#views()
    if (typeof views === 'string') return views
    const hadTooMany = [...this.#seats.values()].some(({ siblingsDropped }) => siblingsDropped > 0)
    this.#versions.judge(this.#standing(views), hadTooMany)
    const lost = await lookupsGoneWrong(
      { clock: this.#clock, nodes: members },
      {
        positions: this.#clients.paths.map(identifierOfPath),
        serving: position => new Set(activeViews(this.#cluster, position).map(({ id }) => id)),
        timeoutMs: 2 * SIMULATED_SETTINGS.requestTimeoutMs,
      },
    )
    return lost ?? (await beliefsGoneWrong({ clock: this.#clock, nodes: members }))
  }

  #began(node: ChainNode): void {
    this.#seat(node).begin({ versions: this.#versions, clock: this.#clock })
  }

  /** The node comes back as another one, or others refuse it; the operator retires what it was. */
  #losing(node: ChainNode): void {
    const others = this.#cluster.nodes.filter(one => one !== node && !this.#isGone(one))
    this.#seat(node).survive(this.#versions)
    this.#versions.lose(
      this.#seat(node),
      this.#clients.paths,
      others.map(one => this.#seat(one)),
    )
    this.#seat(node).lose()
    const { id } = node
    this.#clock.after(this.#random.between(...RETIRED_MS), () => {
      if (node.id === id) return
      this.#lost.add(id)
      this.#retire(id)
    })
  }

  #isGone({ id }: ChainNode): boolean {
    return this.#cluster.members.get(id)?.status === 'gone'
  }

  /** Somebody who has not heard of it yet is told that a node is gone for good. */
  #retire(id: NodeId): void {
    for (const node of this.#members()) {
      const { ring } = node.whole ?? {}
      if (!node.running || node.restored || ring === undefined || ring.network.retired?.includes(id)) continue
      void ring.allNodes.copies.retire(id).catch(onlyRefusals)
      return
    }
  }

  #members(): ChainNode[] {
    return this.#cluster.nodes.filter(node => this.#cluster.isMember(node))
  }

  #seat(node: ChainNode): NodeSeat {
    return this.#seats.get(node) as NodeSeat
  }
}
