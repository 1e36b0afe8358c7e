/**
 * Two measures of the chain protocol: what is moved while a range is sealed, and how fast the machine steps.
 *
 * Both run the machine alone, on a wire that delivers at once: they count, and only the second looks at a clock.
 */

import type { Clock } from '../../env.ts'
import { absentRecord, type ChainRecord } from '../../replication/chain/chain-record.ts'
import { createMachine, type MachineEvent, step } from '../../replication/chain/machine.ts'
import type { Machine } from '../../replication/chain/machine-parts.ts'
import type { Envelope, Message } from '../../replication/chain/messages.ts'
import { MemoryRecords } from '../../replication/chain/record-table.ts'
import { type Identifier, identifierOfPath } from '../../ring/identifier.ts'
import { type PathName, parsePathName } from '../../ring/path-name.ts'
import { asSource, freshState, type NodeId, type View, type ViewId } from '../../views/view.ts'
import { SIMULATED_SETTINGS } from './simulated-settings.ts'

const ZERO = '0'.repeat(40) as Identifier
const [A, B, C, D] = ['a', 'b', 'c', 'd'] as NodeId[] as [NodeId, NodeId, NodeId, NodeId]

/** What a change of view has cost between the first seal and the new view's being active. */
export interface SealedWork {
  /** Records of the range. */
  readonly records: number
  /** Messages of all nodes. */
  readonly messages: number
  /** Records that were sent. */
  readonly recordsMoved: number
  /** Messages one after the other on the longest way: what the sealed time is made of, times one delay. */
  readonly hops: number
}

/**
 * Changes a view of three to another three, of which one is new. It has copied the range before, save the latest
 * writes, as a replica has that joins while the old view serves.
 */
export function measureSealedWork(records: number, writesSinceCopy: number): SealedWork {
  const parent = viewOf('v1', 1, [A, B, C], [])
  const child = viewOf('v2', 2, [A, B, D], [parent])
  const all = Array.from({ length: records }, (_, index) => recordOf(index, 1))
  const written = all.map((record, index) => (index < writesSinceCopy ? recordOf(index, 2) : record))
  const wire = new Wire()
  for (const node of [A, B, C]) wire.add(node, parent, written)
  wire.add(D, undefined, all)
  wire.hand(A, {
    kind: 'message',
    envelope: wire.envelope(C, A, { kind: 'decided', view: parent, children: [child] }),
  })
  const work = wire.runUntil(() => wire.machine(A).views.get(child.id)?.active === true)
  return { records, ...work }
}

/** Writes through a chain of three, one after the other: how many steps of a machine one second holds. */
export function measureSteps(
  writes: number,
  clock: Pick<Clock, 'monotonicMs'>,
): { steps: number; stepsPerSecond: number } {
  const view = viewOf('v1', 1, [A, B, C], [])
  const wire = new Wire()
  for (const node of [A, B, C]) wire.add(node, view, [])
  const startMs = clock.monotonicMs()
  for (let index = 0; index < writes; index++) {
    const path = parsePathName(`p${index % 1000}`)
    const body = { size: 0, sha256: '', blockChecksums: [], content: { inline: new Uint8Array() } }
    const request = {
      kind: 'put',
      path,
      body,
      meta: { mediaType: '' },
      writtenAtMs: 0,
      condition: 'none',
    } as const
    wire.hand(B, { kind: 'request', id: `${index}`, request })
    wire.runUntil(() => false)
  }
  const seconds = (clock.monotonicMs() - startMs) / 1000
  return { steps: wire.steps, stepsPerSecond: Math.round(wire.steps / seconds) }
}

/** Machines and what is under way between them, in the order in which it was sent. */
class Wire {
  steps = 0
  readonly #machines = new Map<NodeId, Machine>()
  /** Each with the number of messages that led to it. */
  #under: { readonly envelope: Envelope; readonly hops: number }[] = []
  #hops = 0

  add(self: NodeId, view: View | undefined, records: readonly ChainRecord[]): void {
    const table = new MemoryRecords()
    for (const record of records) table.put(record)
    const state = view && { ...freshState(view), installed: true, active: true, complete: true, seq: 2 }
    const views = new Map(state === undefined ? [] : [[state.view.id, state]])
    const boot = { counter: 1, nonce: 'x' }
    const peers = new Map([A, B, C, D].map(node => [node, boot]))
    const stable = { boot, views, records: table, blobs: new Map(), marks: [], peers }
    const init = { self, boot, settings: SIMULATED_SETTINGS }
    this.#machines.set(self, createMachine(stable, init))
  }

  machine(node: NodeId): Machine {
    const machine = this.#machines.get(node)
    if (machine === undefined) throw new TypeError(`No machine ${node}.`)
    return machine
  }

  envelope(from: NodeId, to: NodeId, message: Message): Envelope {
    return { from, to, message, boot: { counter: 1, nonce: 'x' } }
  }

  hand(node: NodeId, event: MachineEvent): void {
    this.steps++
    for (const effect of step(this.machine(node), event, 0).effects) {
      if (effect.kind !== 'send') continue
      this.#under.push({ envelope: this.envelope(node, effect.to, effect.message), hops: this.#hops + 1 })
    }
  }

  /** Delivers until then, or until nothing is under way. */
  runUntil(isDone: () => boolean): { messages: number; recordsMoved: number; hops: number } {
    let [messages, recordsMoved, most] = [0, 0, 0]
    for (let at = 0; at < this.#under.length && !isDone(); at++) {
      const next = this.#under[at]
      if (next === undefined || !this.#machines.has(next.envelope.to)) continue
      messages++
      if (next.envelope.message.kind === 'difference') recordsMoved += next.envelope.message.records.length
      this.#hops = next.hops
      most = Math.max(most, next.hops)
      this.hand(next.envelope.to, { kind: 'message', envelope: next.envelope })
    }
    this.#under = []
    this.#hops = 0
    return { messages, recordsMoved, hops: most }
  }
}

function viewOf(id: string, epoch: number, replicas: NodeId[], parents: View[]): View {
  return {
    id: id as ViewId,
    epoch,
    lo: ZERO,
    hi: ZERO,
    replicas,
    acceptors: replicas,
    sources: parents.map(asSource),
  }
}

function recordOf(index: number, seq: number): ChainRecord {
  const path = `file-${index}` as PathName
  return absentRecord(path, identifierOfPath(path), { epoch: 1, seq })
}
