/**
 * What is shown of gossip to people: which nodes are active, and who is believed to be what, since when and why.
 */
import type { NetworkView } from '../../replication/chain/network-view.ts'
import type { Address, NodeId } from '../../ring/identifier.ts'
import type { Members } from '../members.ts'
import type { Belief } from './beliefs.ts'
import type { Gossip } from './gossip.ts'

/** Members in one report; those in doubt come first. */
const MEMBERS_SHOWN_MAX = 100

export interface GossipReport {
  readonly periodMs: number
  readonly fanOut: number
  /** T_fail as it is set, and as it is in effect: longer where the network is too large, or this node not well. */
  readonly failMs: number
  readonly failsAfterMs: number
  /** 0: this node is well; up to 8. */
  readonly health: number
  /** Sent since the start. */
  readonly messages: number
  readonly pairs: number
  readonly members: readonly MemberReport[]
}

export interface MemberReport {
  readonly address: string
  readonly belief: Belief
  readonly forSeconds: number
  readonly reason: string
  /** Observers that miss its heartbeat and do not reach it. */
  readonly by: readonly string[]
}

const GRAVITY: readonly Belief[] = ['failed', 'suspect', 'alive']

/** What is asked of a node of a ring. */
interface Ring {
  readonly members: Members
  readonly driver: { readonly known: Pick<NetworkView, 'isSuspect'> }
  readonly gossip: Gossip | undefined
}

/** Members that are there, as far as this node knows: neither gone, nor counting as dead, nor failed for gossip. Sorted. */
export function activeNodes({ members, driver, gossip }: Ring): Address[] {
  const isActive = (node: NodeId) => !driver.known.isSuspect(node) && gossip?.isFailed(node) !== true
  return members
    .alive()
    .filter(({ nodeId }) => isActive(nodeId))
    .map(({ address }) => address)
    .sort()
}

/** Undefined where gossip is switched off. */
export function gossipReport({ members, gossip }: Ring, nowMs: number): GossipReport | undefined {
  if (gossip === undefined) return undefined
  const nameOf = (node: NodeId): string => members.addressOf(node) ?? node
  const reports = gossip.opinions().map(({ node, belief, sinceMs, reason, by }) => ({
    ...{ address: nameOf(node), belief, reason, by: by.map(nameOf) },
    forSeconds: Math.max(0, Math.round((nowMs - sinceMs) / 1000)),
  }))
  reports.sort(
    (a, b) => GRAVITY.indexOf(a.belief) - GRAVITY.indexOf(b.belief) || (a.address < b.address ? -1 : 1),
  )
  const { settings, failMs, health, messages } = gossip
  const { periodMs, fanOut } = settings
  return {
    ...{ periodMs, fanOut, failMs: settings.failMs, failsAfterMs: failMs * health.factor },
    ...{ health: health.score, messages, pairs: gossip.pairs().length },
    members: reports.slice(0, MEMBERS_SHOWN_MAX),
  }
}
