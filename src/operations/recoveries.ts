/**
 * The memory of recoveries by force: each node that hears of one keeps it for good, shows it, and tells it to nodes
 * that come back, so that these give up the views that they held before they serve anything.
 */
import { Packr } from 'msgpackr'
import type { Recovery } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import type { Members } from '../membership/members.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { ReplicaStore } from '../storage/replica-store.ts'
import type { NodeId } from '../views/view.ts'

const packr = new Packr({ useRecords: false, moreTypes: true })

const RECOVERY = 'recovery/'

export interface RecoveriesComponents {
  readonly env: Env
  readonly store: ReplicaStore
  readonly members: Members
  readonly driver: Pick<ChainDriver, 'tellMyself'>
}

export class Recoveries {
  readonly #components: RecoveriesComponents

  constructor(components: RecoveriesComponents) {
    this.#components = components
  }

  /** All that is known, the oldest first. */
  all(): Recovery[] {
    const kept = Array.from(
      this.#components.store.values(RECOVERY),
      ([, value]) => packr.unpack(value) as Recovery,
    )
    return kept.sort((a, b) => a.atMs - b.atMs)
  }

  /**
   * Keeps it, gives up what it supersedes, and resolves when that is durable.
   * @param how `now`: the lost count as dead until they say otherwise; `long ago`: they may have said so since.
   */
  async note(recovery: Recovery, how: 'now' | 'long ago'): Promise<void> {
    const { env, store, driver } = this.#components
    const { view, lost, atMs } = recovery
    const key = RECOVERY + view.id
    if (![...store.values(key)].some(([name]) => name === key)) {
      const { lo, hi, epoch, replicas } = view
      const fields = {
        op: 'recover',
        lo,
        hi,
        epoch,
        survivor: replicas[0],
        lost,
        at: new Date(atMs).toISOString(),
      }
      env.log.warn(fields, 'a range was recovered by force: what only the lost nodes had is gone')
      if (how === 'now') this.#giveUp(lost)
    }
    driver.tellMyself({ kind: 'teach', views: [view] })
    // Behind the step in the order of batches: when this is durable, older views are sealed here.
    await Promise.resolve()
    await store.apply({ records: [], values: [[key, packr.pack(recovery)]], keepBlobs: [], dropBlobs: [] })
  }

  #giveUp(lost: readonly NodeId[]): void {
    const { members } = this.#components
    const records = lost.map(node => members.map.record(node)).filter(record => record !== undefined)
    const alive = records.filter(({ status }) => status === 'alive')
    members.learn(alive.map(record => ({ ...record, status: 'dead' })))
  }
}
