/**
 * One simulated node of the chain protocol: the driver of the program with its machine, on a simulated disk, with
 * a clock, timers and randomness of its own.
 */

import { Buffer } from 'node:buffer'
import type { Env } from '../../env.ts'
import type { BlobState } from '../../replication/chain/blob-table.ts'
import type { BodyCarrier } from '../../replication/chain/body-carrier.ts'
import type { ChainRecord } from '../../replication/chain/chain-record.ts'
import { ChainReplication } from '../../replication/chain/chain-replication.ts'
import type { ChainDriver, ChainDriverComponents, ChainDriverInit } from '../../replication/chain/driver.ts'
import { LostRanges } from '../../replication/chain/lost-ranges.ts'
import type { MachineEvent } from '../../replication/chain/machine.ts'
import type { Machine, StableState } from '../../replication/chain/machine-parts.ts'
import type { Outcome, Write } from '../../replication/chain/machine-state.ts'
import type { Envelope, Message } from '../../replication/chain/messages.ts'
import { isMessage } from '../../replication/chain/messages.ts'
import { MemoryRecords } from '../../replication/chain/record-table.ts'
import { batchOf, isFounding, loadStableState } from '../../replication/chain/stable-state.ts'
import { startValue } from '../../replication/chain/starts.ts'
import { StoredRecords } from '../../replication/chain/stored-records.ts'
import type { ClientRequest } from '../../replication/entry/requests.ts'
import type { Replication } from '../../replication/replication.ts'
import { WHOLE_RING } from '../../ring/arc.ts'
import type { PathName } from '../../ring/path-name.ts'
import { storeOfViews } from '../../ring-node/eventual-wiring.ts'
import type { BlobId } from '../../storage/record.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import type { Storage } from '../../storage/storage.ts'
import type { NodeId, ViewId, ViewState } from '../../views/view.ts'
import { AskedDriver } from './asked-driver.ts'
import type { ChainNodeInit, StartImage, StopReason, WholeNodeSetting } from './chain-node-parts.ts'
import { askAsClient, type ClientEnv, type Told, type Wish } from './client-request.ts'
import { fasterClock, fasterTimers } from './faster-env.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedBodies } from './simulated-bodies.ts'
import { type DiskChange, SimulatedDisk } from './simulated-disk.ts'
import type { NodeName } from './simulated-network.ts'
import { SimulatedReplicaStore, VALUE } from './simulated-replica-store.ts'
import { SkewedClock } from './skewed-clock.ts'
import { TimerScope } from './timer-scope.ts'
import type { VirtualClock } from './virtual-clock.ts'
import { mayStartAgain, WholeNode, wholeSettings } from './whole-node.ts'

export interface ChainNodeComponents {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly send: (envelope: Envelope) => void
  /** The driver of a whole node has said something, which it sends itself. */
  readonly said: (envelope: Envelope) => void
  /** After each step, before its writes are on the disk. */
  readonly stepped: (node: ChainNode, event: MachineEvent, writes: readonly Write[]) => void
  /** What a step has written is on stable storage; its effects follow. */
  readonly durable: (node: ChainNode, writes: readonly Write[]) => void
  /** Something is asked of the machine, and it answers. */
  readonly asked: (node: ChainNode, request: ClientRequest) => void
  readonly answered: (request: ClientRequest, outcome: Outcome) => void
  /** The node has read its own record for somebody, without a step. */
  readonly readAtOnce: (path: PathName, record: ChainRecord) => void
  /** The machine is a new one, which knows nothing of the members. */
  readonly restarted: (node: ChainNode) => void
  /** The node can't go on: its disk refuses its start, others have refused its identity, or it has found nobody. */
  readonly stopped: (node: ChainNode, why: StopReason) => void
  /** What lies on the disk is about to be lost, or to give way to what lay there once. */
  readonly losing: (node: ChainNode) => void
}

/** Ms that a sync takes. */
const SYNC_MS = [0.1, 3] as const

/** Keys of the disk beside those of the replica store. */
const ID = 'id'
const BOOT = 'boot'

export class ChainNode {
  readonly name: NodeName
  readonly disk: SimulatedDisk<Uint8Array>
  readonly wallClock: SkewedClock
  /** Changes when the disk is lost. */
  id: NodeId
  /** While the process runs. */
  driver: ChainDriver | undefined
  replication: Replication | undefined
  whole: WholeNode | undefined
  /** An old image was put on the disk: what the node says counts for nothing from now on. */
  restored = false
  /** How often a disk that was put back had been started by then. */
  restoredBoot = 0
  #restarts = 0
  /** Oldest first. */
  images: StartImage[] = []
  readonly #components: ChainNodeComponents
  readonly #init: ChainNodeInit
  /** Of this node, in ms of the world. */
  readonly timers: TimerScope
  #store: SimulatedReplicaStore
  readonly #env: Env
  /** Its boot is not stable yet. */
  #starting = false
  #stable: { readonly version: number; readonly state: StableState } | undefined

  constructor(components: ChainNodeComponents, init: ChainNodeInit) {
    this.name = init.name
    this.id = `${init.name}.0` as NodeId
    this.#components = components
    this.#init = init
    const { clock, random } = components
    this.timers = new TimerScope({ timers: clock })
    this.disk = new SimulatedDisk(
      { timers: this.timers, random: random.fork(`disk ${init.name}`) },
      { syncMinMs: SYNC_MS[0], syncMaxMs: SYNC_MS[1], tear: 0.5 },
    )
    this.#store = new SimulatedReplicaStore(this)
    const isWhole = init.whole !== undefined
    this.wallClock = new SkewedClock({ world: isWhole ? fasterClock(clock) : clock }, init.clock)
    this.#env = clock.env({
      clock: this.wallClock,
      timers: isWhole ? fasterTimers(this.timers) : this.timers,
      randomness: { bytes: length => Uint8Array.from({ length }, () => random.int(0, 255)) },
      log: { debug() {}, info() {}, warn() {}, error: fields => this.#logged(fields) },
    })
  }

  /** What runs: nothing while the process is down, nor while its disk refuses writes. */
  get machine(): Readonly<Machine> | undefined {
    return this.driver?.fault === undefined ? this.driver?.machine : undefined
  }

  get running(): boolean {
    return this.machine !== undefined && !this.timers.paused
  }

  get paused(): boolean {
    return this.timers.paused
  }

  get views(): ReadonlyMap<ViewId, ViewState> {
    return this.machine?.views ?? this.stable().views
  }

  get blobs(): ReadonlyMap<BlobId, BlobState> {
    return this.machine?.blobs ?? this.stable().blobs
  }

  recordAt(path: PathName): ChainRecord | undefined {
    return (this.machine ?? this.stable()).records.get(path)
  }

  /** Puts an initial state on the empty disk. */
  format(state: readonly Write[]): void {
    this.disk.write([[ID, Buffer.from(this.id)]])
    void this.#store.apply({ records: [], ...batchOf(state) })
  }

  /** Starts from what the disk holds; the new boot is stable before anything else happens. */
  start(then: () => void): void {
    if (this.#starting || this.driver !== undefined) return
    this.#starting = true
    const id = this.disk.read(ID)
    if (id !== undefined) this.id = Buffer.from(id).toString() as NodeId
    const boot = this.#boot() + 1
    try {
      this.disk.write([[ID, Buffer.from(this.id)], [BOOT, Buffer.from(`${boot}`)], ...this.#beginning(boot)])
    } catch {
      return this.#components.stopped(this, 'disk')
    }
    this.disk.sync(error => {
      if (error === undefined && this.#init.whole !== undefined)
        return this.#runWhole(boot, this.#init.whole, then)
      this.#starting = false
      if (error !== undefined) return this.#components.stopped(this, 'disk')
      this.#run(boot)
      then()
    })
  }

  /** What is written at a start: a whole node notes it itself, and gives up the bodies that nobody has kept. */
  #beginning(boot: number): readonly DiskChange<Uint8Array>[] {
    this.#store.bodies.forgetReceipts()
    if (this.#init.whole !== undefined) return this.#store.bodies.unkept()
    const [key, value] = startValue({ store: this.#store, env: this.#env }, boot)
    return [[VALUE + key, value]]
  }

  #runWhole(boot: number, { wire, address, boots, ...setting }: WholeNodeSetting, then: () => void): void {
    const { clock, stopped } = this.#components
    const whole = new WholeNode(
      {
        env: this.#env,
        store: this.#store,
        wire,
        drive: (components, init) => this.#driveWhole(components, init),
      },
      {
        ...{ nodeId: this.id, boot, address: address(), boots: boots(), ...setting },
        // A disk that was put back is started under a count that it had before: what that one was told late is not for this one.
        name: `${this.id}/${boot}${this.restored ? `.${++this.#restarts}` : ''}`,
        settings: wholeSettings(this.#init.settings),
        halted: () => stopped(this, 'impostor'),
        broken: error => clock.fail(error),
        began: ring => {
          this.#starting = false
          this.driver = ring.driver
          this.replication = ring.replication
          this.#keepImage(ring.driver, boot)
          then()
        },
      },
    )
    this.whole = whole
    whole.start().catch((error: unknown) => {
      // It may have ended meanwhile, by other means.
      if (this.whole !== whole) return
      if (mayStartAgain(error)) stopped(this, 'alone')
      else clock.fail(error)
    })
  }

  #keepImage({ machine }: ChainDriver, boot: number): void {
    // A founder makes its first views out of nothing, and nobody could tell it that it has made them before.
    if (isFounding(this.#store)) return
    this.images.push({ disk: this.disk.snapshot(), boot, views: [...machine.views.values()] })
  }

  /** What the driver says counts from that moment, though the node may have to find out first where its receiver lives. */
  #driveWhole(components: ChainDriverComponents, init: ChainDriverInit): ChainDriver {
    const { clock, said } = this.#components
    const send = (to: NodeId, message: Message) => {
      clock.attempt(() => said({ from: this.id, boot: driver.machine.boot, to, message }))
      components.send(to, message)
    }
    const driver: ChainDriver = this.#drive({ ...components, send }, init)
    return driver
  }

  /** The driver of the program, watched; who watches it in the program does so, too. */
  #drive(components: ChainDriverComponents, init: ChainDriverInit): ChainDriver {
    const watch = this.#components
    const { clock } = watch
    const observer = {
      stepped: (event: MachineEvent, writes: readonly Write[]) =>
        clock.attempt(() => watch.stepped(this, event, writes)),
      durable: (writes: readonly Write[]) => {
        clock.attempt(() => watch.durable(this, writes))
        components.observer?.durable(writes)
      },
    }
    return new AskedDriver({ ...components, observer }, init, {
      asked: request => clock.attempt(() => watch.asked(this, request)),
      answered: (request, outcome) => clock.attempt(() => watch.answered(request, outcome)),
      readAtOnce: (path, record) => clock.attempt(() => watch.readAtOnce(path, record)),
    })
  }

  #run(boot: number): void {
    const { settings } = this.#init
    const { clock, restarted, stopped } = this.#components
    const driver = this.#drive(
      { env: this.#env, store: this.#store, send: (to, message) => this.#send(to, message) },
      {
        self: this.id,
        diskBoot: boot,
        settings,
        halted: () => stopped(this, 'impostor'),
        broken: ({ error }) =>
          clock.attempt(() => {
            throw error
          }),
        restarted: () => restarted(this),
      },
    )
    this.driver = driver
    this.replication = this.#replicationOn(driver)
    this.#keepImage(driver, boot)
    driver.start()
  }

  /** Bodies travel in messages, so their carrier has nothing to do. */
  #replicationOn(driver: ChainDriver): ChainReplication {
    const storage = { discard: async () => {}, handOver() {} } as unknown as Storage
    const nothing = async () => {}
    const carrier = { push: nothing, fetch: nothing, leaveWays() {} } as unknown as BodyCarrier
    return new ChainReplication(
      {
        env: this.#env,
        storage,
        driver,
        carrier,
        lost: new LostRanges({ env: this.#env, driver, addressOf: () => undefined }),
        refused: () => {},
        lookup: async () => [],
        addressOf: () => undefined,
        list: async () => [],
      },
      { self: this.id },
    )
  }

  /** One event, at once. */
  handle(event: MachineEvent): void {
    this.driver?.dispatch(event)
  }

  /** A client asks. */
  async ask(id: string, request: Wish): Promise<Told> {
    if (this.replication === undefined) return { kind: 'unavailable' }
    return askAsClient(this.replication, id, request, this.whole && this.#clientEnv(id))
  }

  #clientEnv(id: string): ClientEnv {
    return { timers: this.timers, random: this.#components.random.fork(`client ${id}`) }
  }

  /** The process ends at this moment. */
  crash(): void {
    this.whole?.crash()
    if (this.whole !== undefined) {
      this.#store.end()
      this.#store = new SimulatedReplicaStore(this)
    }
    this.whole = undefined
    this.driver?.close()
    this.driver = undefined
    this.replication = undefined
    this.#starting = false
    this.timers.clear()
    this.disk.crash()
  }

  /** An old image takes the place of what is on the disk. */
  restore({ disk, boot }: StartImage): void {
    this.#components.losing(this)
    this.disk.restore(disk)
    this.restored = true
    this.restoredBoot = boot
  }

  /** What lies on the disk, of a model that keeps its files apart from the machine. */
  get kept(): Pick<ReplicaStore, 'records' | 'values'> {
    return this.#store
  }

  /** The disk is lost. */
  wipe(): void {
    this.#components.losing(this)
    this.disk.wipe()
    this.images = []
    this.restored = false
  }

  get bodies(): SimulatedBodies {
    return this.#store.bodies
  }

  pause(): void {
    this.timers.pause()
  }

  resume(): void {
    this.timers.resume()
  }

  /** What the disk would give to a start now. */
  stable(): StableState {
    const { version } = this.disk
    if (this.#stable?.version === version) return this.#stable.state
    const boot = { counter: this.#boot(), nonce: '' }
    const { consistency } = this.#init.whole ?? {}
    const { store } = storeOfViews(this.#store, { consistency }, () => undefined)
    const stored = loadStableState(store, new StoredRecords({ store }), boot)
    const records = new MemoryRecords()
    for (const record of stored.records.within(WHOLE_RING)) records.put(record)
    const state = { ...stored, records }
    this.#stable = { version, state }
    return state
  }

  #boot(): number {
    const bytes = this.disk.read(BOOT)
    return bytes === undefined ? 0 : Number(Buffer.from(bytes).toString())
  }

  #send(to: NodeId, message: Message): void {
    this.#components.clock.attempt(() => {
      if (!isMessage(message)) throw new Error(`Malformed: ${JSON.stringify(message)}`)
      const { boot } = (this.driver as ChainDriver).machine
      this.#components.send({ from: this.id, boot, to, message })
    })
  }

  /** What a step throws counts as a fault of the disk; here it is the end of the run. */
  #logged(fields: object): void {
    const { op, err } = fields as { op?: string; err?: unknown }
    if (op === 'step') this.#components.clock.fail(err)
  }
}
