/**
 * A workbench for the machine: some nodes, a wire on which every message is seen, and no chance. Messages arrive
 * in the order in which they were sent; timers fire when a test says so.
 */

import type { BlobState } from '../../../src/replication/chain/blob-table.ts'
import { createMachine, type MachineEvent, step } from '../../../src/replication/chain/machine.ts'
import type { Machine } from '../../../src/replication/chain/machine-parts.ts'
import type {
  ChainSettings,
  Member,
  Outcome,
  TimerEvent,
  Write,
} from '../../../src/replication/chain/machine-state.ts'
import type { Envelope, Message } from '../../../src/replication/chain/messages.ts'
import {
  type KeptHere,
  keptHereOf,
  type NetworkView,
  networkViewOf,
} from '../../../src/replication/chain/network-view.ts'
import { MemoryRecords } from '../../../src/replication/chain/record-table.ts'
import type { ClientRequest } from '../../../src/replication/entry/requests.ts'
import type { Condition } from '../../../src/replication/replication.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { type PathName, parsePathName } from '../../../src/ring/path-name.ts'
import type { BlobId, Body } from '../../../src/storage/record.ts'
import type { SealMark } from '../../../src/views/range-table.ts'
import {
  type Boot,
  freshState,
  type NodeId,
  type View,
  type ViewId,
  type ViewState,
} from '../../../src/views/view.ts'

export const SETTINGS: ChainSettings = {
  replicas: 3,
  minReplicas: 2,
  answerTimeoutMs: 100,
  requestTimeoutMs: 1000,
  resendMs: 100,
  retryMs: 10,
  silencesMax: 2,
  listedMax: 16,
  differenceBytesMax: 512 * 1024,
  stagedMs: 1000,
  spareMs: 60_000,
  outcomesKeptMs: 25_000,
  trashMs: 0,
}

const ZERO = '0'.repeat(40) as Identifier

export const path = (text: string): PathName => parsePathName(text)
export const node = (name: string) => name as NodeId

/** A view of the whole ring. */
export function wholeView(replicas: string[], acceptors = replicas, id = 'v1', epoch = 1): View {
  const nodes = { replicas: replicas.map(node), acceptors: acceptors.map(node) }
  return { id: id as ViewId, epoch, lo: ZERO, hi: ZERO, sources: [], ...nodes }
}

interface Disk {
  boot: Boot
  readonly views: Map<ViewId, ViewState>
  readonly records: Map<string, Write & { kind: 'record' }>
  readonly blobs: Map<BlobId, BlobState>
  marks: readonly SealMark[]
  readonly peers: Map<NodeId, Boot>
}

export interface BenchInit {
  readonly nodes: string[]
  readonly view?: View
  readonly settings?: Partial<ChainSettings>
}

export class Bench {
  readonly machines = new Map<string, Machine>()
  readonly disks = new Map<string, Disk>()
  readonly answers = new Map<string, Outcome>()
  /** What was delivered, as `n1>n2 pass`. */
  readonly log: string[] = []
  readonly wire: Envelope[] = []
  readonly timers: { readonly node: string; readonly timer: TimerEvent }[] = []
  /** Messages that never arrive. */
  lose: (envelope: Envelope) => boolean = () => false
  nowMs = 1_000
  monotonicMs = 0
  readonly #init: BenchInit

  constructor(init: BenchInit) {
    this.#init = init
    for (const name of init.nodes) {
      const views = new Map<ViewId, ViewState>()
      const view = init.view ?? wholeView(init.nodes)
      if (view.replicas.includes(node(name)) || view.acceptors.includes(node(name))) {
        views.set(view.id, { ...freshState(view), installed: true, active: true, complete: true })
      }
      const peers = new Map(init.nodes.map(other => [node(other), { counter: 1, nonce: 'x' }]))
      const boot = { counter: 0, nonce: 'x' }
      this.disks.set(name, { boot, views, records: new Map(), blobs: new Map(), marks: [], peers })
      this.restart(name)
    }
  }

  /** What a node shows to the outside of its core. */
  ports(name: string): { known: NetworkView; kept: KeptHere } {
    const machine = () => this.machine(name)
    return { known: networkViewOf(machine), kept: keptHereOf(machine) }
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name)
    if (machine === undefined) throw new TypeError(`No machine is called ${name}.`)
    return machine
  }

  /** Starts a node from its disk; what it had in memory is gone. */
  restart(name: string): void {
    const disk = this.disks.get(name) as Disk
    disk.boot = { counter: disk.boot.counter + 1, nonce: 'x' }
    const records = new MemoryRecords()
    for (const { record } of disk.records.values()) if (record !== undefined) records.put(record)
    const { boot, views, blobs, marks, peers } = disk
    this.machines.set(
      name,
      createMachine(
        { boot, views, records, blobs, marks, peers },
        {
          self: node(name),
          boot,
          settings: { ...SETTINGS, ...this.#init.settings },
        },
      ),
    )
    this.event(name, { kind: 'start' })
    this.run()
  }

  /** One event; its messages are put on the wire. */
  event(name: string, event: MachineEvent): readonly Write[] {
    const machine = this.machine(name)
    const { persist, effects } = step(machine, event, this.nowMs, this.monotonicMs)
    for (const write of persist) this.#keep(name, write)
    for (const effect of effects) {
      if (effect.kind === 'send') {
        this.wire.push({ from: machine.self, boot: machine.boot, to: effect.to, message: effect.message })
      } else if (effect.kind === 'timer') this.timers.push({ node: name, timer: effect.timer })
      else if (effect.kind === 'answer') this.answers.set(effect.request, effect.outcome)
      else this.log.push(`${name} ${effect.kind}`)
    }
    return persist
  }

  /** Delivers until nothing is under way. */
  run(): void {
    for (let steps = 0; this.wire.length > 0; steps++) {
      if (steps > 10_000) throw new TypeError('The nodes never stop talking.')
      const envelope = this.wire.shift() as Envelope
      if (this.lose(envelope)) continue
      this.log.push(`${envelope.from}>${envelope.to} ${envelope.message.kind}`)
      if (this.machines.has(envelope.to)) this.event(envelope.to, { kind: 'message', envelope })
    }
  }

  /** Lets all timers of a kind go off that are set now, and what follows from that. */
  fire(kind: TimerEvent['kind'], name?: string): void {
    const due = this.timers.filter(
      each => each.timer.kind === kind && (name === undefined || each.node === name),
    )
    for (const each of due) this.timers.splice(this.timers.indexOf(each), 1)
    for (const each of due) this.event(each.node, { kind: 'timer', timer: each.timer })
    this.run()
  }

  /** A message that somebody else has sent. */
  deliver(from: string, to: string, message: Message): void {
    const boot = this.machines.get(from)?.boot ?? { counter: 1, nonce: 'x' }
    this.event(to, { kind: 'message', envelope: { from: node(from), boot, to: node(to), message } })
    this.run()
  }

  ask(name: string, id: string, request: ClientRequest): Outcome | undefined {
    this.event(name, { kind: 'request', id, request })
    this.run()
    return this.answers.get(id)
  }

  put(
    name: string,
    id: string,
    at: string,
    condition: Condition = 'none',
    content = inline(id),
  ): Outcome | undefined {
    const meta = { mediaType: 'text/plain' }
    return this.ask(name, id, { kind: 'put', path: path(at), body: content, meta, writtenAtMs: 0, condition })
  }

  /** The name of the body that a client reads, or what it is told instead. */
  get(name: string, id: string, at: string): string {
    const outcome = this.ask(name, id, { kind: 'get', path: path(at) })
    if (outcome?.kind !== 'value') return outcome?.kind ?? 'no answer'
    return outcome.record.body?.sha256 ?? 'absent'
  }

  state(name: string, id = 'v1'): ViewState {
    const state = this.machine(name).views.get(id as ViewId)
    if (state === undefined) throw new TypeError(`${name} does not hold ${id}.`)
    return state
  }

  /** The view that a node believes to cover a path. */
  viewAt(name: string, at: string): View | undefined {
    return this.machine(name).table.covering(identifierOfPath(path(at)))
  }

  members(...names: string[]): Member[] {
    return names.map((name, index) => ({
      node: node(name),
      identifiers: [`${index + 1}`.padEnd(40, '0') as Identifier],
      status: 'member',
    }))
  }

  #keep(name: string, write: Write): void {
    const disk = this.disks.get(name) as Disk
    if (write.kind === 'view') setOrDelete(disk.views, write.id, write.state)
    else if (write.kind === 'record') disk.records.set(write.path, write)
    else if (write.kind === 'blob') setOrDelete(disk.blobs, write.id, write.blob)
    else if (write.kind === 'marks') disk.marks = write.marks
    else if (write.kind === 'peer') disk.peers.set(write.node, write.boot)
  }
}

function setOrDelete<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

export function inline(name: string): Body {
  return { size: 1, sha256: name, blockChecksums: [], content: { inline: new Uint8Array(1) } }
}

export function large(name: string): Body {
  return { size: 1, sha256: name, blockChecksums: [], content: { blobId: name as BlobId } }
}
