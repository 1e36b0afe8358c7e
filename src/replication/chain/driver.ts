/**
 * Owns the machine's life in a real node: it hands events in one after the other, makes what a step writes durable, and
 * lets a step's effects out when that step and all before it are durable (the order that machine-state.ts asks for).
 *
 * A write that the disk refuses leaves the machine ahead of its disk. That is a crash like any other: what was under way
 * ends without an answer, and the machine starts again from what is durable, under a boot of its own.
 */
import type { Env, Timer } from '../../env.ts'
import { StoreError } from '../../errors.ts'
import { identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import type { Boot, NodeId } from '../../views/view.ts'
import type { ChainRecord } from './chain-record.ts'
import { type MachineEvent, step } from './machine.ts'
import {
  type ChainSettings,
  createMachine,
  type Effect,
  type Machine,
  type Outcome,
  type Write,
} from './machine-state.ts'
import type { Message } from './messages.ts'
import { readAtOnce } from './reading.ts'
import type { ClientRequest } from './requests.ts'
import { ALL_RULES } from './rules.ts'
import { batchOf, loadStableState } from './stable-state.ts'
import { StoredRecords } from './stored-records.ts'

/** Starts of the machine within one start of the process; more would be a disk that refuses everything. */
const RESTARTS_MAX = 1_000_000

/** After a refusal of the disk, ms: time for room to be made, short enough that a range is not given up for it. */
const RESTART_AFTER_MS = 1_000

/** Requests of clients under way in the machine; one more is OVERLOADED. */
const REQUESTS_MAX = 10_000

export interface ChainDriverComponents {
  readonly env: Env
  readonly store: ReplicaStore
  /** Takes a message for another node. Never throws. */
  readonly send: (to: NodeId, message: Message) => void
}

export interface ChainDriverInit {
  readonly self: NodeId
  /** How often this disk was opened. */
  readonly diskBoot: number
  readonly settings: ChainSettings
  /** This disk is a copy, or was restored: it may not serve under its name any more. */
  readonly halted: () => void
}

interface Step {
  durable: boolean
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
  #timers = new Set<Timer>()
  #requests = new Map<string, (outcome: Outcome) => void>()
  #faulty = false
  #closed = false

  constructor(components: ChainDriverComponents, init: ChainDriverInit) {
    this.#components = components
    this.#init = init
    this.#records = new StoredRecords(components)
    this.#machine = this.#newMachine()
  }

  /** What the machine knows; to be read only, and only within one turn. */
  get machine(): Readonly<Machine> {
    return this.#machine
  }

  /** True while the disk refuses writes. */
  get faulty(): boolean {
    return this.#faulty
  }

  start(): void {
    this.dispatch({ kind: 'start' })
  }

  /** What is at a path, where that needs nobody else and nothing that is not durable yet; else undefined. */
  readAtOnce(path: PathName): ChainRecord | undefined {
    if (this.#closed || this.#faulty || this.#records.isCovering(path)) return undefined
    return readAtOnce(this.#machine, path, identifierOfPath(path))
  }

  /** Asks for something on behalf of a client. @throws StoreError OVERLOADED, UNAVAILABLE. */
  request(request: ClientRequest): Promise<Outcome> {
    if (this.#closed || this.#faulty) throw new StoreError('UNAVAILABLE', 'This node can not serve now.')
    if (this.#requests.size >= REQUESTS_MAX) {
      throw new StoreError('OVERLOADED', 'Too many requests are under way.', { retryAfterSeconds: 1 })
    }
    const id = `${++this.#lastRequest}`
    return new Promise(resolve => {
      this.#requests.set(id, resolve)
      this.dispatch({ kind: 'request', id, request })
    })
  }

  /** Takes one step. Effects that need no write, and wait for none, are out when this returns. */
  dispatch(event: MachineEvent): void {
    if (this.#closed || this.#faulty) return
    const { persist, effects } = step(this.#machine, event, this.#components.env.clock.nowMs())
    if (persist.length === 0) {
      if (this.#steps.length === 0) this.#release(effects)
      else if (effects.length > 0) this.#steps.push({ durable: true, effects })
      return
    }
    this.#steps.push({ durable: false, effects })
    this.#writes.push(...persist)
    if (this.#writing) return
    this.#writing = true
    // After the current turn: steps that one request has caused become durable together.
    queueMicrotask(() => void this.#write())
  }

  /** Ends without another effect. What was under way is answered with INDETERMINATE. */
  close(): void {
    this.#closed = true
    this.#abandon()
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
      while (this.#steps[0]?.durable) this.#release(this.#steps.shift()?.effects ?? [])
    }
    if (machine === this.#machine) this.#writing = false
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
          this.#setTimer(effect)
          break
        case 'halt':
          this.#init.halted()
          break
      }
    }
  }

  #answer(request: string, outcome: Outcome): void {
    const resolve = this.#requests.get(request)
    this.#requests.delete(request)
    resolve?.(outcome)
  }

  #setTimer({ afterMs, timer }: Effect & { kind: 'timer' }): void {
    const waiting = this.#components.env.timers.after(afterMs, () => {
      this.#timers.delete(waiting)
      this.dispatch({ kind: 'timer', timer })
    })
    this.#timers.add(waiting)
  }

  #fail(error: unknown): void {
    const { env } = this.#components
    env.log.error(
      { op: 'persist', err: error },
      'the disk refuses writes: starting again from what is durable',
    )
    this.#faulty = true
    this.#abandon()
    env.timers.after(RESTART_AFTER_MS, () => this.#restart())
  }

  #restart(): void {
    if (this.#closed) return
    this.#restarts++
    this.#records = new StoredRecords(this.#components)
    this.#machine = this.#newMachine()
    this.#writing = false
    this.#faulty = false
    this.start()
  }

  /** Drops whatever has not left yet. */
  #abandon(): void {
    this.#steps = []
    this.#writes = []
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
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
    return createMachine(stable, { self, boot, rules: ALL_RULES, settings })
  }
}
