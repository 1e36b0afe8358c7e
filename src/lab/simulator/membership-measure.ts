/**
 * What a membership event costs a node: the processor time from the news that another node has moved, through what it knows of the
 * members, until every range of it has been looked at again and nothing was to be done.
 */
import { realEnv } from '../../env.ts'
import { Members } from '../../membership/members.ts'
import { NETWORK_DEFAULTS } from '../../membership/network-config.ts'
import { createMachine, step } from '../../replication/chain/machine.ts'
import type { Machine } from '../../replication/chain/machine-parts.ts'
import type { Batch, Member } from '../../replication/chain/machine-state.ts'
import { MemoryRecords } from '../../replication/chain/record-table.ts'
import { ringOf } from '../../replication/chain/repair.ts'
import { type Address, type Identifier, identifiersOfAddress } from '../../ring/identifier.ts'
import { nearSuccessors, placeReplicas, spreadOverZones, zonesOf } from '../../ring/placement.ts'
import type { MapRecord } from '../../routing/map-record.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import {
  type Contact,
  chooseAcceptors,
  freshState,
  type NodeId,
  type View,
  type ViewId,
} from '../../views/view.ts'
import { SIMULATED_SETTINGS } from './simulated-settings.ts'

export interface MembershipCost {
  readonly nodes: number
  /** Ranges of the node that hears of it. */
  readonly ranges: number
  /** Processor time of one event in each round, ms. */
  readonly eventMs: readonly number[]
}

/** Processor time used so far, ms. */
export type ProcessorMs = () => number

export async function measureMembershipEvents(
  { nodes, virtualNodes, rounds }: { nodes: number; virtualNodes: number; rounds: number },
  processorMs: ProcessorMs,
): Promise<MembershipCost> {
  const members = Array.from({ length: nodes }, (_, index) => memberOf(index, virtualNodes))
  const [self] = members as [Member]
  const views = viewsOf(self, members)
  const boot = { counter: 1, nonce: 'x' }
  const machine = createMachine(
    {
      boot,
      views: new Map(views.map(view => [view.id, standing(view)])),
      records: new MemoryRecords(),
      blobs: new Map(),
      marks: [],
      peers: new Map(),
    },
    { self: self.node, boot, settings: SIMULATED_SETTINGS },
  )
  let nowMs = 0
  const env = realEnv()
  const known = new Members(
    {
      env,
      store: new MemoryStorage({ env }).replica,
      changed: change => {
        nowMs = settle(machine, step(machine, { kind: 'members-changed', ...change }, nowMs), nowMs)
      },
      refuted: nothing,
      died: nothing,
      returned: nothing,
      contested: nothing,
    },
    {
      network: { ...NETWORK_DEFAULTS, networkId: 'measured', virtualNodes },
      self: recordOf(members[0] as Member),
      records: members.slice(1).map(recordOf),
      learn: 'path',
    },
  )
  await Promise.resolve()
  const eventMs: number[] = []
  for (let round = -1; round <= rounds; round++) {
    const moved = members[1 + (((round + 1) * 7) % (nodes - 1))] as Member
    const news = { ...recordOf(moved), incarnation: round + 2 }
    const began = processorMs()
    known.learn([news])
    await Promise.resolve()
    // The first two sort the ring and warm up.
    if (round > 0) eventMs.push(processorMs() - began)
  }
  return { nodes, ranges: views.length, eventMs }
}

/** Lets every timer of a look at a range go off. Gives the time then. @throws TypeError when there was something to do. */
function settle(machine: Machine, first: Batch, beganMs: number): number {
  let nowMs = beganMs
  const batches = [first]
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
    for (const effect of batch.effects) {
      if (effect.kind === 'send') throw new TypeError(`The range was to be changed: ${effect.message.kind}.`)
      if (effect.kind !== 'timer' || effect.timer.kind !== 'repair') continue
      nowMs = Math.max(nowMs, beganMs + effect.afterMs)
      batches.push(step(machine, { kind: 'timer', timer: effect.timer }, nowMs))
    }
  }
  return nowMs
}

function standing(view: View) {
  return { ...freshState(view), installed: true, active: true, complete: true }
}

/** The views that a node is a replica of in a network that has been standing for a while. */
function viewsOf({ node }: Member, members: readonly Member[]): View[] {
  const ring = ringOf(members)
  const zones = zonesOf(members.map(({ zone }) => ({ zone })))
  const among = { isIn: () => true, zones: () => zones }
  const { replicas: copies } = SIMULATED_SETTINGS
  return ring.flatMap(({ identifier: hi }, index): View[] => {
    const replicas = placeReplicas(ring, hi, copies, among)
    if (!replicas.includes(node)) return []
    const near = spreadOverZones(nearSuccessors(ring, hi, 3 * copies, among)).map(({ nodeId }) => nodeId)
    const lo = ring.at(index - 1)?.identifier as Identifier
    const id = `1-start-${index}` as ViewId
    return [
      { id, epoch: 1, lo, hi, replicas, acceptors: chooseAcceptors(replicas, near, [], copies), sources: [] },
    ]
  })
}

function memberOf(index: number, virtualNodes: number): Member {
  const contact = contactOf(index)
  const node = index.toString(16).padStart(32, '0') as NodeId
  return { node, contact, identifiers: identifiersOfAddress(contact.address, virtualNodes), status: 'member' }
}

function recordOf({ node: nodeId, contact }: Member): MapRecord {
  return { ...(contact as Contact), nodeId, status: 'alive', zone: undefined }
}

function nothing(): void {}

function contactOf(index: number): Contact {
  const address = `10.0.${index >> 8}.${index & 255}:5000` as Address
  return { address, ringAddress: address, incarnation: 0 }
}
