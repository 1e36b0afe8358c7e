/**
 * Owns the machine's life in a real node: it hands events in one after the other, makes what a step writes durable, and
 * lets a step's effects out when that step and all before it are durable (the order that machine-state.ts asks for).
 *
 * A write that the disk refuses leaves the machine ahead of its disk. That is a crash like any other: what was under way
 * ends without an answer, and the machine starts again from what is durable, under a boot of its own.
 */
import type { Env, Timer } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import type { Boot, NodeId } from '../../views/view.ts'
import type { ChainRecord } from './chain-record.ts'
import type { DriverObserver } from './driver-observer.ts'
import { type MachineEvent, step } from './machine.ts'
import {
  type Batch,
  type ChainSettings,
  createMachine,
  type Effect,
  type Machine,
  type Outcome,
  type TimerEvent,
  type Write,
} from './machine-state.ts'
import type { Message } from './messages.ts'
import { type RoundTripLimits, stretchOf } from './patience.ts'
import { readAtOnce } from './reading.ts'
import type { ClientRequest } from './requests.ts'
import { batchOf, loadStableState } from './stable-state.ts'
import { StoredRecords } from './stored-records.ts'
import { isMoot, TimerQueues } from './timer-queues.ts'

/** Starts of the machine within one start of the process; more would be a disk that refuses everything. */
const RESTARTS_MAX = 1_000_000

/** Which start of its disk speaks. */
export function diskBootOf(boot: Boot): number {
  return Math.floor(boot.counter / RESTARTS_MAX)
}

/** After a refusal of the disk, ms, until it is tried; doubles with each refusal up to the second. */
const RECOVER_MS_MIN = 500
const RECOVER_MS_MAX = 60_000

/** A machine that has run for this long, ms, has recovered: the next refusal begins with the shortest wait again. */
const RECOVERED_MS = 5 * 60 * 1000

/** How often bodies are looked at that wait for their end, as long as there are any, ms; local, no message leaves. */
const EXPIRE_MS = 60_000

/** Removals after which tombstones are collected: about 200 KiB of them, and one message to each replica of a range. */
const COLLECT_REMOVALS = 1_000

/** After the last of those removals, ms: time for it to be acknowledged. The network is not idle yet. */
const COLLECT_AFTER_MS = 1_000

/** What is written to see whether the disk takes writes again. */
const TRIAL = 'trial'

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
}

export interface ChainDriverInit {
  readonly self: NodeId
  /** How often this disk was opened. */
  readonly diskBoot: number
  readonly settings: ChainSettings
  /** This disk is a copy, or was restored: it may not serve under its name any more. */
  readonly halted: () => void
  /** The machine is a new one that knows nothing of the members; called before its first step. */
  readonly restarted?: () => void
}

interface Step {
  durable: boolean
  readonly writes: readonly Write[]
  readonly effects: readonly Effect[]
}

export class ChainDriver {
  readonly #components: ChainDriverComponents
  readonly #init: ChainDriverInit
  #machine: Machine
  #records: StoredRecords
  #restarts = 0
  #lastRequest = 0
  #steps: Step[] = []
  #writes: Write[] = []
  #writing = false
  readonly #timers: TimerQueues
  #requests = new Map<string, (outcome: Outcome) => void>()
  /** Reads that have arrived in this turn of the event loop: they take one step together. */
  #reads = new Map<string, ClientRequest>()
  #expiring: Timer | undefined
  #collecting: Timer | undefined
  #removals = 0
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
    this.#records = new StoredRecords(components)
    this.#machine = this.#newMachine()
  }

  /** What the machine knows; to be read only, and only within one turn. */
  get machine(): Readonly<Machine> {
    return this.#machine
  }

  /** Why this node serves nothing at the moment: DISK_FULL, or UNAVAILABLE when its disk fails otherwise. */
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
    if (this.#machine.blobs.hasTransient) this.#expireLater()
  }

  /** True while a write at this path is not durable yet. */
  isChanging(path: PathName): boolean {
    return this.#records.isCovering(path)
  }

  /** What is at a path, where that needs nobody else and nothing that is not durable yet; else undefined. */
  readAtOnce(path: PathName): ChainRecord | undefined {
    if (this.#closed || this.#fault || this.#records.isCovering(path)) return undefined
    return readAtOnce(this.#machine, path, this.#records.positionOf(path))
  }

  /** Asks for something on behalf of a client; `signal` brings its deadline. @throws StoreError OVERLOADED, UNAVAILABLE, DISK_FULL. */
  async request(request: ClientRequest, signal?: AbortSignal): Promise<Outcome> {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#closed) throw new StoreError('UNAVAILABLE', 'This node is stopping.')
    if (this.#requests.size >= REQUESTS_MAX) {
      throw new StoreError('OVERLOADED', 'Too many requests are under way.', { retryAfterSeconds: 1 })
    }
    const id = `${++this.#lastRequest}`
    const deadline = { kind: 'timer', timer: { kind: 'deadline', flow: id } } as const
    signal?.addEventListener('abort', () => this.dispatch(deadline))
    return new Promise(resolve => {
      this.#requests.set(id, resolve)
      if (request.kind !== 'get') return this.dispatch({ kind: 'request', id, request })
      if (this.#reads.size === 0) this.#components.env.timers.soon(() => this.#read())
      this.#reads.set(id, request)
    })
  }

  /** Takes a message as if another node had sent it, such as a doubt whether a node is there. */
  tellMyself(message: Message): void {
    const { self, boot } = this.#machine
    this.dispatch({ kind: 'message', envelope: { from: self, boot, to: self, message } })
  }

  #read(): void {
    const requests = this.#reads
    this.#reads = new Map()
    if (requests.size > 0) this.dispatch({ kind: 'requests', requests })
  }

  /** Takes one step. Effects that need no write, and wait for none, are out when this returns. */
  dispatch(event: MachineEvent): void {
    if (this.#closed || this.#fault) return
    const batch = this.#step(event)
    if (batch === undefined) return
    const { persist, effects } = batch
    this.#components.observer?.stepped(event, persist)
    this.#notice(persist)
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

  /** Ends without another effect. What was under way is answered with INDETERMINATE. */
  close(): void {
    this.#closed = true
    this.#recovering?.cancel()
    this.#abandon()
  }

  /** A step that throws has changed the machine by half, which is no better than a disk that fails. */
  #step(event: MachineEvent): Batch | undefined {
    try {
      return step(this.#machine, event, this.#components.env.clock.nowMs())
    } catch (error) {
      this.#components.env.log.error(
        { op: 'step', event: event.kind, err: error },
        'a step of the machine failed',
      )
      this.#fail(error)
      return undefined
    }
  }

  /** Looks at what is written for what has to be tidied up later. */
  #notice(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.kind === 'record' && write.record !== undefined && write.record.body === undefined)
        this.#removals++
    }
    if (this.#machine.blobs.hasTransient) this.#expireLater()
    if (this.#removals < COLLECT_REMOVALS || this.#collecting !== undefined) return
    this.#collecting = this.#components.env.timers.after(COLLECT_AFTER_MS, () => {
      this.#collecting = undefined
      this.#removals = 0
      this.dispatch({ kind: 'collect' })
    })
  }

  #expireLater(): void {
    this.#expiring ??= this.#components.env.timers.after(EXPIRE_MS, () => {
      this.#expiring = undefined
      this.dispatch({ kind: 'expire' })
      if (this.#machine.blobs.hasTransient) this.#expireLater()
    })
  }

  /**
   * Makes durable what has been written, one batch after the other: a batch that fails takes all later ones with it, so
   * that the disk never holds a step without those before it.
   */
  async #write(): Promise<void> {
    const machine = this.#machine
    while (this.#writes.length > 0 && machine === this.#machine) {
      const steps = [...this.#steps]
      const batch = batchOf(this.#writes.splice(0))
      const { number, records, values } = this.#records.takeBatch()
      try {
        await this.#components.store.apply({ ...batch, records, values: [...values, ...batch.values] })
      } catch (error) {
        if (machine === this.#machine) this.#fail(error)
        return
      }
      if (machine !== this.#machine) return
      this.#records.durable(number, records)
      for (const one of steps) one.durable = true
      while (this.#steps[0]?.durable) this.#releaseStep(this.#steps.shift() as Step)
    }
    if (machine === this.#machine) this.#writing = false
  }

  #releaseStep({ writes, effects }: Step): void {
    if (writes.length > 0) this.#components.observer?.durable(writes)
    this.#release(effects)
  }

  #release(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#components.send(effect.to, effect.message)
          break
        case 'answer':
          this.#answer(effect.request, effect.outcome)
          break
        case 'timer':
          this.#timers.set(effect.afterMs * this.#stretch(effect.timer), effect.timer)
          break
        case 'halt':
          this.#init.halted()
          break
        case 'overruled':
          this.#tellOverruled(effect)
          break
      }
    }
  }

  /** What a client was told here counts no more, which nobody shall have to find out by missing a file. */
  #tellOverruled({ view, by, records }: Effect & { kind: 'overruled' }): void {
    const { id, lo, hi, epoch } = view
    this.#components.env.log.warn(
      { op: 'overruled', lo, hi, epoch, view: id, by: by.id, records },
      'a range was recovered by force elsewhere: what was written here since is given up',
    )
  }

  #stretch(timer: TimerEvent): number {
    const { roundTrips } = this.#components
    if (roundTrips === undefined) return 1
    return stretchOf(timer, this.#init.settings.answerTimeoutMs, roundTrips)
  }

  #answer(request: string, outcome: Outcome): void {
    const resolve = this.#requests.get(request)
    this.#requests.delete(request)
    resolve?.(outcome)
  }

  #fail(error: unknown): void {
    const { env } = this.#components
    env.log.error({ op: 'persist', err: error }, 'nothing is served until the disk takes writes again')
    const isFull = errorCode(error) === 'DISK_FULL'
    const message = isFull
      ? 'No space is left on the disk of this node.'
      : 'The disk of this node refuses writes.'
    this.#fault = new StoreError(isFull ? 'DISK_FULL' : 'UNAVAILABLE', message, { cause: error })
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
    const value = Buffer.from(this.#components.env.randomness.bytes(8))
    try {
      await this.#components.store.apply({
        records: [],
        values: [[TRIAL, value]],
        keepBlobs: [],
        dropBlobs: [],
      })
    } catch {
      if (!this.#closed) this.#recoverLater()
      return
    }
    if (this.#closed) return
    this.#restarts++
    this.#records = new StoredRecords(this.#components)
    this.#machine = this.#newMachine()
    this.#writing = false
    this.#fault = undefined
    this.#init.restarted?.()
    this.start()
  }

  /** Drops whatever has not left yet. */
  #abandon(): void {
    this.#steps = []
    this.#writes = []
    this.#reads = new Map()
    this.#timers.clear()
    for (const timer of [this.#expiring, this.#collecting]) timer?.cancel()
    this.#expiring = undefined
    this.#collecting = undefined
    for (const resolve of this.#requests.values()) resolve({ kind: 'indeterminate' })
    this.#requests.clear()
  }

  #newMachine(): Machine {
    if (this.#restarts >= RESTARTS_MAX) throw new TypeError('A disk that refuses everything is of no use.')
    const { env, store } = this.#components
    // A start of the process leaves room for those of the machine within it.
    const boot: Boot = {
      counter: this.#init.diskBoot * RESTARTS_MAX + this.#restarts,
      nonce: Buffer.from(env.randomness.bytes(8)).toString('hex'),
    }
    const { self, settings } = this.#init
    const stable = loadStableState(store, this.#records, boot)
    return createMachine(stable, { self, boot, settings })
  }
}
