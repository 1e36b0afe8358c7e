/**
 * The machine's life in a real node: it hands events in one after the other, makes what a step writes durable, and
 * lets a step's effects out when that step and all before it are durable (the order that machine-state.ts asks for).
 *
 * A write that the disk refuses leaves the machine ahead of its disk. That is a crash like any other: what was under way
 * ends, and the machine starts again from what is durable. A step that fails by itself is no such fault but a defect.
 */

import type { Env, Timer } from '../../env.ts'
import { errorCode, type StoreError } from '../../errors.ts'
import { type Defect, isDefect } from '../../invariant.ts'
import type { PathName } from '../../ring/path-name.ts'
import { isDiskFailure } from '../../storage/disk-errors.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import { diskBootOf, RESTARTS_MAX } from '../../views/boot.ts'
import type { Boot, NodeId } from '../../views/view.ts'
import type { ClientRequest, Ending } from '../entry/requests.ts'
import type { ChainRecord } from './chain-record.ts'
import { contradicts } from './deciding.ts'
import { faultOf, logOverruled, nameOf, refusedBeyond, stopping } from './driver-faults.ts'
import type { DriverObserver } from './driver-observer.ts'
import { DurableViews } from './durable-views.ts'
import { createMachine, type MachineEvent, step } from './machine.ts'
import type { Machine } from './machine-parts.ts'
import type { ChainSettings, Effect, Outcome, Write } from './machine-state.ts'
import type { Envelope, Message } from './messages.ts'
import { keptHereOf, networkViewOf } from './network-view.ts'
import { type RoundTripLimits, stretchOf } from './patience.ts'
import { readAtOnce } from './reading.ts'
import { batchOf, loadStableState, StoredViews, trialOf } from './stable-state.ts'
import { drawnNonce, lastStart } from './starts.ts'
import { StoredRecords } from './stored-records.ts'
import { Tidying } from './tidying.ts'
import { isMoot, TimerQueues } from './timer-queues.ts'

/** After a refusal of the disk, ms, until it is tried; doubles with each refusal up to the second. */
const RECOVER_MS_MIN = 500
const RECOVER_MS_MAX = 60_000

/** A machine that has run for this long, ms, has recovered: the next refusal begins with the shortest wait again. */
const RECOVERED_MS = 300_000

/** Requests of clients under way in the machine; one more is OVERLOADED. */
const REQUESTS_MAX = 10_000

export interface ChainDriverComponents {
  readonly env: Env
  readonly store: ReplicaStore
  /** Takes a message for another node. Never throws. */
  readonly send: (to: NodeId, message: Message) => void
  /** How long messages take; without, they are taken to be as fast as the settings expect. */
  readonly roundTrips?: RoundTripLimits
  readonly observer?: DriverObserver | undefined
  /** Takes in where nodes are reached that a view has named and the machine has not heard of. */
  readonly learned?: (of: Effect & { kind: 'meet' | 'believed' }) => void
}

export interface ChainDriverInit {
  readonly self: NodeId
  /** How often this disk was opened. */
  readonly diskBoot: number
  readonly settings: ChainSettings
  /** This disk is a copy, or was restored: it may not serve under its name any more. */
  readonly halted: () => void
  /** The program is wrong: its process has to end. */
  readonly broken: (defect: Defect) => void
  /** The machine is a new one that knows nothing of the members; called before its first step. */
  readonly restarted?: () => void
}

interface Step {
  durable: boolean
  readonly writes: readonly Write[]
  readonly effects: readonly Effect[]
  /** Called when this step and all before it are durable, or never will be. */
  readonly settled?: (fault: StoreError | undefined) => void
}

export class ChainDriver {
  /** What this node knows of the network, and what it keeps itself. */
  readonly known = networkViewOf(() => this.#machine)
  readonly kept = keptHereOf(() => this.#machine)
  readonly #components: ChainDriverComponents
  readonly #init: ChainDriverInit
  #machine: Machine
  #records: StoredRecords
  #storedViews = new StoredViews()
  #durableViews = new DurableViews()
  #restarts = 0
  #lastRequest = 0
  #steps: Step[] = []
  #writes: Write[] = []
  #writing = false
  readonly #timers: TimerQueues
  #requests = new Map<string, (outcome: Outcome) => void>()
  /** Reads that have arrived in this turn of the event loop: they take one step together. */
  #reads = new Map<string, ClientRequest>()
  readonly #tidying: Tidying
  /** Why nothing is served: the disk refuses writes. */
  #fault: StoreError | undefined
  #recovering: Timer | undefined
  #recoveries = 0
  #startedAtMs = 0
  #closed = false

  constructor(components: ChainDriverComponents, init: ChainDriverInit) {
    this.#components = components
    this.#init = init
    this.#timers = new TimerQueues(components.env, {
      fire: timer => this.dispatch({ kind: 'timer', timer }),
      isMoot: timer => isMoot(this.#machine, timer),
    })
    this.#tidying = new Tidying(components.env, {
      tidy: what => this.dispatch({ kind: what }),
      hasTransient: () => this.#machine.blobs.hasTransient,
    })
    this.#records = new StoredRecords(components)
    this.#machine = this.#newMachine()
  }

  /** The machine itself, for the simulator alone: its invariants look at all of it. */
  get machine(): Readonly<Machine> {
    return this.#machine
  }

  /** Why this node serves nothing at the moment. */
  get fault(): StoreError | undefined {
    return this.#fault
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.size
  }

  start(): void {
    this.#startedAtMs = this.#components.env.clock.monotonicMs()
    this.dispatch({ kind: 'start' })
    this.#tidying.notice([])
  }

  /** True while a write at this path is not durable yet. */
  isChanging(path: PathName): boolean {
    return this.#records.isCovering(path)
  }

  readonly positionOf = (path: PathName) => this.#records.positionOf(path)

  /** What is at a path, where that needs nobody else and nothing that is not durable yet; else undefined. */
  readAtOnce(path: PathName, position = this.positionOf(path)): ChainRecord | undefined {
    if (this.#closed || this.#fault || this.#records.isCovering(path)) return undefined
    // A crash may take back a view that began a moment ago, and what it made of its records.
    if (!this.#durableViews.serves(this.#machine.table.covering(position)?.id)) return undefined
    return this.#guarded('read', () => readAtOnce(this.#machine, path, position))
  }

  /**
   * Resolves when all that the machine knows by now is durable: whoever tells of it otherwise than by effects waits for
   * this. @throws StoreError UNAVAILABLE, DISK_FULL when it never will be.
   */
  async durable(): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) throw refusal
    if (this.#steps.length === 0) return
    const fault = await new Promise<StoreError | undefined>(settled => {
      this.#steps.push({ durable: true, writes: [], effects: [], settled })
    })
    if (fault !== undefined) throw fault
  }

  /** Asks for something on behalf of a client. @throws StoreError OVERLOADED, UNAVAILABLE, DISK_FULL. */
  request(request: ClientRequest, ending?: Ending): Promise<Outcome> {
    const refusal = this.#refusal() ?? refusedBeyond(REQUESTS_MAX, this.#requests.size)
    if (refusal !== undefined) return Promise.reject(refusal)
    const id = `${++this.#lastRequest}`
    const over = ending?.(() => this.dispatch({ kind: 'timer', timer: { kind: 'deadline', flow: id } }))
    return new Promise(resolve => {
      this.#requests.set(id, outcome => {
        over?.()
        resolve(outcome)
      })
      if (request.kind !== 'get') return this.dispatch({ kind: 'request', id, request })
      if (this.#reads.size === 0) this.#components.env.timers.soon(() => this.#read())
      this.#reads.set(id, request)
    })
  }

  /** The disk has refused a body: others shall go on without this node, which can't do its part; where it is full, if they are enough. */
  bodyRefused(error: unknown, othersThere = 0): void {
    const isFull = errorCode(error) === 'DISK_FULL'
    const canBeSpared = othersThere >= Math.max(2, this.#machine.settings.minReplicas)
    if (!this.#closed && !this.#fault && (isFull ? canBeSpared : isDiskFailure(error))) this.#fail(error)
  }

  /** The disk neither does what it was asked for nor refuses it: nobody shall wait for that. */
  diskHangs(fault: StoreError): void {
    if (!this.#closed && !this.#fault) this.#fail(fault, fault)
  }

  /** Hands in what another node has sent. False when it contradicts what this node holds: its sender is broken. */
  deliver(envelope: Envelope): boolean {
    if (contradicts(this.#machine, envelope.message)) return false
    this.dispatch({ kind: 'message', envelope })
    return true
  }

  /** Takes a message as if another node had sent it, such as a doubt whether a node is there. */
  tellMyself(message: Message): void {
    const { self, boot } = this.#machine
    this.dispatch({ kind: 'message', envelope: { from: self, boot, to: self, message } })
  }

  #refusal(): StoreError | undefined {
    return this.#fault ?? (this.#closed ? stopping() : undefined)
  }

  #read(): void {
    const requests = this.#reads
    this.#reads = new Map()
    if (requests.size > 0) this.dispatch({ kind: 'requests', requests })
  }

  /** Takes one step. Effects that need no write, and wait for none, are out when this returns. */
  dispatch(event: MachineEvent): void {
    if (this.#closed || this.#fault) return
    const { clock } = this.#components.env
    const batch = this.#guarded(event, () => step(this.#machine, event, clock.nowMs(), clock.monotonicMs()))
    if (batch === undefined) return
    const { persist, effects } = batch
    this.#components.observer?.stepped(event, persist)
    this.#tidying.notice(persist)
    if (persist.length === 0) {
      if (this.#steps.length === 0) this.#release(effects)
      else if (effects.length > 0) this.#steps.push({ durable: true, writes: persist, effects })
      return
    }
    this.#steps.push({ durable: false, writes: persist, effects })
    this.#writes.push(...persist)
    if (this.#writing) return
    this.#writing = true
    // After the current turn: steps that one request has caused become durable together.
    queueMicrotask(() => void this.#write())
  }

  /** Ends without another effect. What was under way is INDETERMINATE. */
  close(): void {
    this.#closed = true
    this.#recovering?.cancel()
    this.#abandon()
  }

  /** What the machine does, unless the disk fails under it or it is wrong: then it may be changed by half. */
  #guarded<Result>(event: MachineEvent | 'read', act: () => Result): Result | undefined {
    try {
      return act()
    } catch (error) {
      // Only the store throws errors with a code: it could not read what it holds.
      if (errorCode(error) !== undefined) this.#fail(error)
      else this.#break({ error, event: event === 'read' ? 'read at once' : nameOf(event) })
      return undefined
    }
  }

  #break(defect: Defect): void {
    this.close()
    this.#init.broken(defect)
  }

  /**
   * Makes durable what has been written, one batch after the other: a batch that fails takes all later ones with it, so
   * that the disk never holds a step without those before it.
   */
  async #write(): Promise<void> {
    const machine = this.#machine
    while (this.#writes.length > 0 && machine === this.#machine) {
      const steps = [...this.#steps]
      const writes = this.#writes.splice(0)
      const batch = batchOf(writes, this.#storedViews)
      const { number, records, values } = this.#records.takeBatch()
      try {
        await this.#components.store.apply({ ...batch, records, values: [...values, ...batch.values] })
      } catch (error) {
        if (machine !== this.#machine || this.#closed) return
        return isDefect(error) ? this.#break({ error, event: 'commit' }) : this.#fail(error)
      }
      if (machine !== this.#machine) return
      this.#records.durable(number, records)
      this.#durableViews.apply(writes)
      for (const one of steps) one.durable = true
      while (this.#steps[0]?.durable) this.#releaseStep(this.#steps.shift() as Step)
    }
    if (machine === this.#machine) this.#writing = false
  }

  #releaseStep({ writes, effects, settled }: Step): void {
    this.#components.observer?.durable(writes)
    this.#release(effects)
    settled?.(undefined)
  }

  #release(effects: readonly Effect[]): void {
    const { roundTrips } = this.#components
    const { answerTimeoutMs } = this.#init.settings
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#components.send(effect.to, effect.message)
          break
        case 'answer':
          this.#requests.get(effect.request)?.(effect.outcome)
          this.#requests.delete(effect.request)
          break
        case 'timer': {
          const stretch = stretchOf(effect.timer, answerTimeoutMs, roundTrips)
          this.#timers.set(effect.afterMs * stretch, effect.timer)
          break
        }
        case 'halt':
          this.#init.halted()
          break
        case 'meet':
        case 'believed':
          this.#components.learned?.(effect)
          break
        case 'overruled':
          logOverruled(this.#components.env, effect)
          break
      }
    }
  }

  #fail(error: unknown, fault = faultOf(error)): void {
    const { env } = this.#components
    env.log.error({ op: 'persist', err: error }, 'nothing is served until the disk takes writes again')
    this.#fault = fault
    this.#abandon()
    if (env.clock.monotonicMs() - this.#startedAtMs > RECOVERED_MS) this.#recoveries = 0
    this.#recoverLater()
  }

  #recoverLater(): void {
    const afterMs = Math.min(RECOVER_MS_MAX, RECOVER_MS_MIN * 2 ** Math.min(this.#recoveries++, 10))
    this.#recovering = this.#components.env.timers.after(afterMs, () => void this.#recover())
  }

  /**
   * Others count a node that is silent as dead and go on without it, so it may take its time: it starts again when the
   * disk has taken a write, and waits longer each time that it was refused.
   */
  async #recover(): Promise<void> {
    try {
      await this.#components.store.apply(trialOf(this.#components.env.randomness.bytes(8)))
      await this.#components.store.tryBody()
    } catch {
      if (!this.#closed) this.#recoverLater()
      return
    }
    if (this.#closed) return
    this.#restarts++
    this.#records = new StoredRecords(this.#components)
    this.#machine = this.#newMachine()
    this.#writing = false
    const wasFull = errorCode(this.#fault) === 'DISK_FULL'
    this.#fault = undefined
    this.#init.restarted?.()
    this.start()
    if (wasFull) this.dispatch({ kind: 'short-of-space' })
  }

  /** Drops whatever has not left yet. */
  #abandon(): void {
    for (const { settled } of this.#steps) settled?.(this.#fault ?? stopping())
    this.#steps = []
    this.#writes = []
    this.#reads = new Map()
    this.#timers.clear()
    this.#tidying.cancel()
    for (const resolve of this.#requests.values()) resolve({ kind: 'indeterminate' })
    this.#requests.clear()
  }

  #newMachine(): Machine {
    if (this.#restarts >= RESTARTS_MAX) throw new TypeError('A disk that refuses everything is of no use.')
    const { env, store } = this.#components
    const { self, settings, diskBoot } = this.#init
    const start = lastStart(store)
    const isNoted = start !== undefined && diskBootOf(start) === diskBoot
    // A start of the process leaves room for those of the machine within it.
    const boot: Boot = {
      counter: diskBoot * RESTARTS_MAX + this.#restarts,
      nonce: isNoted ? start.nonce : drawnNonce(env.randomness),
    }
    const stable = loadStableState(store, this.#records, boot)
    this.#storedViews = new StoredViews(stable.views)
    this.#durableViews = new DurableViews(stable.views)
    return createMachine(stable, { self, boot, settings })
  }
}
