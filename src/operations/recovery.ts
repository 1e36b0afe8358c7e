/**
 * The operator's last resort: it asks every node what it holds, says which ranges can't come back by themselves and
 * what would be lost, and on a second word that names exactly this plan lets one survivor of each go on alone.
 */
import { createHash } from 'node:crypto'
import type { PeerAnswer, PeerCall } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { NodeId } from '../ring/identifier.ts'
import { type Knowledge, type LostRange, lostRanges, recoveredView } from '../views/recovery.ts'
import type { View } from '../views/view.ts'

/** A node that does not answer is asked again, in case that it was only slow. */
const ASKS = 3

export interface RecoveryComponents {
  readonly env: Env
  /** All nodes that were ever members and have not left, this one included. */
  readonly members: () => readonly NodeId[]
  readonly ask: (node: NodeId, call: PeerCall) => Promise<PeerAnswer>
  /** Whether there may be others, whom the answers name. */
  readonly namesOthers?: boolean
}

/** What would be done. */
export interface RecoveryPlan {
  /** Names this plan; whoever confirms it has seen it. */
  readonly id: string
  readonly lost: readonly LostRange[]
  readonly silent: readonly NodeId[]
  readonly present: readonly NodeId[]
}

/** Asks everybody; changes nothing. @throws StoreError PROTOCOL_UNSUPPORTED when a node is too old to be asked. */
export async function planRecovery(components: RecoveryComponents): Promise<RecoveryPlan> {
  const answers = new Map<NodeId, Knowledge>()
  let missing = [...components.members()]
  for (let times = 0; times < ASKS && missing.length > 0; times++) {
    const asked = missing.map(async node => {
      try {
        answers.set(node, (await components.ask(node, { kind: 'holdings' })) as Knowledge)
      } catch (error) {
        // A node that has to be upgraded is there, and may have what would be given up as lost.
        const code = errorCode(error)
        if (code === undefined || code === 'PROTOCOL_UNSUPPORTED') throw error
      }
    })
    await Promise.all(asked)
    const named = components.namesOthers ? namedIn(answers.values()) : []
    missing = [...new Set([...missing, ...named])].filter(node => !answers.has(node))
  }
  const lost = lostRanges(answers)
  const essence = lost.map(({ lo, hi, epoch, survivor }) => [
    lo,
    hi,
    epoch,
    survivor?.node,
    survivor?.source.id,
  ])
  const id = createHash('sha256')
    .update(JSON.stringify([essence, [...missing].sort()]))
    .digest('hex')
    .slice(0, 16)
  return { id, lost, silent: missing, present: [...answers.keys()] }
}

/** Whoever has a part in a range by the newest views. */
function namedIn(answers: Iterable<Knowledge>): NodeId[] {
  const views = [...answers].flatMap(({ known }) => known)
  return views.flatMap(({ replicas, acceptors }) => [...replicas, ...acceptors])
}

/**
 * Carries a plan out. Every range is the survivor's own decision: it refuses when it knows more by then.
 * @param id of the plan that was shown. @throws StoreError PRECONDITION_FAILED when things are not as they were then.
 */
export async function carryOut(components: RecoveryComponents, id: string): Promise<readonly View[]> {
  const { env, ask } = components
  const plan = await planRecovery(components)
  if (plan.id !== id)
    throw new StoreError('PRECONDITION_FAILED', 'The network is not as that plan says; look at it again.')
  const views: View[] = []
  for (const range of plan.lost) {
    const { survivor } = range
    if (survivor === undefined) continue
    const view = recoveredView(range, Buffer.from(env.randomness.bytes(8)).toString('hex'))
    await ask(survivor.node, { kind: 'recover', view, basis: range.epoch, basisId: range.id })
    views.push(view)
    const recovery = { view, lost: plan.silent, atMs: env.clock.nowMs() }
    // One that does not hear of it now meets the new epoch at its next word.
    const told = plan.present.map(node => ask(node, { kind: 'recovered', recovery }))
    await Promise.allSettled(told)
  }
  return views
}

/** What this node knows and holds, views that are over included: the newest of them may be all that is left. */
export function knowledgeOf({ known, kept }: Pick<ChainDriver, 'known' | 'kept'>): Knowledge {
  const holdings = known.held().map(({ view, installed, active, seq }) => {
    return { view, installed, active, seq, records: kept.digest(view, '').count }
  })
  const children = known.held().flatMap(({ next }) => next ?? [])
  return { holdings, known: [...known.newest(), ...children] }
}
