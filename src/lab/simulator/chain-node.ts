/**
 * Owns one simulated node of the chain protocol: the machine, the disk under it, and the rule between the two that a
 * driver has to keep: no effect leaves before its own batch and all earlier ones are on stable storage.
 */

import type { BlobState } from '../../replication/chain/blob-table.ts'
import type { ChainRecord } from '../../replication/chain/chain-record.ts'
import { type MachineEvent, step } from '../../replication/chain/machine.ts'
import {
  type ChainSettings,
  createMachine,
  type Effect,
  type Machine,
  type StableState,
  type Write,
} from '../../replication/chain/machine-state.ts'
import { isMessage } from '../../replication/chain/message-shapes.ts'
import type { Envelope } from '../../replication/chain/messages.ts'
import { MemoryRecords } from '../../replication/chain/record-table.ts'
import type { Rules } from '../../replication/chain/rules.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId } from '../../storage/record.ts'
import type { SealMark } from '../../views/range-table.ts'
import type { Boot, NodeId, ViewId, ViewState } from '../../views/view.ts'
import type { SeededRandom } from './seeded-random.ts'
import { type DiskChange, type DiskImage, SimulatedDisk } from './simulated-disk.ts'
import type { NodeName } from './simulated-network.ts'
import { TimerScope } from './timer-scope.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** What a simulated disk holds under one key. All of it immutable. */
export type Stored = Boot | ViewState | ChainRecord | BlobState | readonly SealMark[] | NodeId

export interface ChainNodeInit {
  readonly name: NodeName
  readonly settings: ChainSettings
  readonly rules: Rules
}

export interface ChainNodeComponents {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly send: (envelope: Envelope) => void
  /** A client of this node is answered. */
  readonly answer: (node: ChainNode, effect: Effect & { kind: 'answer' }) => void
  /** After each step, before its writes are on the disk. `before` is what each written key was. */
  readonly stepped: (node: ChainNode, event: MachineEvent, writes: readonly Write[]) => void
  /** What a step has written is on stable storage; its effects follow. */
  readonly durable: (node: ChainNode, writes: readonly Write[]) => void
  /** The node can't go on: its disk fails, or others have refused its identity. */
  readonly stopped: (node: ChainNode, why: 'disk' | 'impostor') => void
}

interface Outgoing {
  readonly persist: readonly Write[]
  readonly effects: readonly Effect[]
  durable: boolean
}

/** Ms that a sync takes. */
const SYNC_MS = [0.1, 3] as const

export class ChainNode {
  readonly name: NodeName
  readonly disk: SimulatedDisk<Stored>
  /** Changes when the disk is lost. */
  id: NodeId
  machine: Machine | undefined
  /** An old image was put on the disk: what the node says counts for nothing from now on. */
  restored = false
  /** Disk images, each from the beginning of a start, oldest first. */
  images: DiskImage<Stored>[] = []
  readonly #components: ChainNodeComponents
  readonly #init: ChainNodeInit
  readonly #timers: TimerScope
  #outgoing: Outgoing[] = []
  /** Its boot is not stable yet. */
  #starting = false

  constructor(components: ChainNodeComponents, init: ChainNodeInit) {
    this.name = init.name
    this.id = `${init.name}.0` as NodeId
    this.#components = components
    this.#init = init
    this.#timers = new TimerScope({ timers: components.clock })
    this.disk = new SimulatedDisk(
      { timers: this.#timers, random: components.random.fork(`disk ${init.name}`) },
      { syncMinMs: SYNC_MS[0], syncMaxMs: SYNC_MS[1], tear: 0.5 },
    )
  }

  get running(): boolean {
    return this.machine !== undefined && !this.#timers.paused
  }

  get paused(): boolean {
    return this.#timers.paused
  }

  /** Puts an initial state on the empty disk. */
  format(state: readonly Write[]): void {
    this.#write([['id', this.id], ...state.map(diskChange)])
    this.disk.sync(() => {})
  }

  /** Starts from what the disk holds; the new boot is stable before anything else happens. */
  start(then: () => void): void {
    if (this.#starting || this.machine !== undefined) return
    this.#starting = true
    this.id = (this.disk.read('id') as NodeId | undefined) ?? this.id
    const old = this.disk.read('boot') as Boot | undefined
    const nonce = this.#components.random.next32().toString(16)
    const boot = { counter: (old?.counter ?? 0) + 1, nonce }
    if (
      !this.#write([
        ['id', this.id],
        ['boot', boot],
      ])
    )
      return this.#components.stopped(this, 'disk')
    this.disk.sync(error => {
      this.#starting = false
      if (error !== undefined) return this.#components.stopped(this, 'disk')
      this.images.push(this.disk.snapshot())
      const { settings, rules } = this.#init
      this.machine = createMachine(this.stable(), { self: this.id, boot, rules, settings })
      this.handle({ kind: 'start' })
      then()
    })
  }

  /** One event, at once. */
  handle(event: MachineEvent): void {
    const { machine } = this
    if (machine === undefined) return
    const { persist, effects } = step(machine, event, this.#components.clock.nowMs())
    this.#components.stepped(this, event, persist)
    if (persist.length === 0) return this.#queue({ persist, effects, durable: true })
    if (!this.#write(persist.map(diskChange))) return this.#components.stopped(this, 'disk')
    const outgoing = { persist, effects, durable: false }
    this.#queue(outgoing)
    this.disk.sync(error => {
      if (this.machine !== machine) return
      if (error !== undefined) return this.#components.stopped(this, 'disk')
      outgoing.durable = true
      this.#release()
    })
  }

  /** The process ends at this moment. */
  crash(): void {
    this.machine = undefined
    this.#starting = false
    this.#outgoing = []
    this.#timers.clear()
    this.disk.crash()
  }

  pause(): void {
    this.#timers.pause()
  }

  resume(): void {
    this.#timers.resume()
  }

  /** What the disk holds now, synced or not. */
  stable(): StableState {
    const records = new MemoryRecords()
    for (const record of this.#all<ChainRecord>('r/')) records.put(record)
    return {
      boot: this.disk.read('boot') as Boot,
      views: new Map(this.#all<ViewState>('v/').map(state => [state.view.id, state])),
      records,
      blobs: new Map(this.#all<BlobState>('b/').map(state => [state.blob.blobId, state])),
      marks: (this.disk.read('marks') as readonly SealMark[] | undefined) ?? [],
      peers: new Map(this.disk.keys('p/').map(key => [key.slice(2) as NodeId, this.disk.read(key) as Boot])),
    }
  }

  #all<Value extends Stored>(prefix: string): Value[] {
    return this.disk.keys(prefix).map(key => this.disk.read(key) as Value)
  }

  #write(changes: readonly DiskChange<Stored>[]): boolean {
    try {
      this.disk.write(changes)
      return true
    } catch (error) {
      if ((error as { code?: string }).code === undefined) throw error
      return false
    }
  }

  #queue(outgoing: Outgoing): void {
    this.#outgoing.push(outgoing)
    this.#release()
  }

  /** Lets effects out in order, as far as everything before them is durable. */
  #release(): void {
    const ready: Outgoing[] = []
    while (this.#outgoing[0]?.durable) ready.push(this.#outgoing.shift() as Outgoing)
    for (const { persist, effects } of ready) {
      if (persist.length > 0) this.#components.durable(this, persist)
      for (const effect of effects) this.#carryOut(effect)
    }
  }

  #carryOut(effect: Effect): void {
    const { machine } = this
    if (machine === undefined) return
    switch (effect.kind) {
      case 'send':
        if (!isMessage(effect.message)) throw new Error(`Malformed: ${JSON.stringify(effect.message)}`)
        return this.#components.send({
          from: this.id,
          boot: machine.boot,
          to: effect.to,
          message: effect.message,
        })
      case 'answer':
        return this.#components.answer(this, effect)
      case 'timer':
        this.#timers.after(effect.afterMs, () => this.handle({ kind: 'timer', timer: effect.timer }))
        return
      case 'halt':
        return this.#components.stopped(this, 'impostor')
    }
  }
}

/** The key and value under which a write is kept. */
export function diskChange(write: Write): DiskChange<Stored> {
  switch (write.kind) {
    case 'boot':
      return ['boot', write.boot]
    case 'view':
      return [`v/${write.id satisfies ViewId}`, write.state]
    case 'record':
      return [`r/${write.path satisfies PathName}`, write.record]
    case 'blob':
      return [`b/${write.id satisfies BlobId}`, write.blob]
    case 'marks':
      return ['marks', write.marks]
    case 'peer':
      return [`p/${write.node}`, write.boot]
  }
}
