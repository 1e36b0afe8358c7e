/**
 * What a node knows when it accepts a change. A replica judges by what it has. Who is none, or has become one just now, asks the replicas first: else it
 * would refuse a removal for want of a file that they have, and a write would stand beside what it was meant to replace.
 */
import { errorCode } from '../../errors.ts'
import { identifierOfPath, type NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Accepted, EventualAsks, EventualPeers, Responsibility } from './eventual-calls.ts'
import { type EventualRecord, merge } from './eventual-record.ts'
import type { EventualReplica } from './eventual-replica.ts'
import type { Syncing } from './syncing.ts'

export interface AcceptingComponents {
  readonly replica: EventualReplica
  readonly syncing: Pick<Syncing, 'isBehind'>
  readonly peers: EventualPeers
  readonly responsibility: Responsibility
}

export class Accepting {
  readonly #components: AcceptingComponents

  constructor(components: AcceptingComponents) {
    this.#components = components
  }

  /** @throws StoreError of the store. */
  async accept({ asReplica, ...acceptance }: EventualAsks['accept']['ask']): Promise<Accepted> {
    const { replica, syncing, responsibility } = this.#components
    const { path, condition } = acceptance
    const position = identifierOfPath(path)
    const replicas = responsibility.replicasOf(position)
    const isReplica = replicas.includes(responsibility.self)
    if (asReplica === true && !isReplica && replicas.length > 0) return { kind: 'elsewhere' }
    if (isReplica && !syncing.isBehind(position)) return replica.accept(acceptance)
    const others = replicas.filter(node => node !== responsibility.self)
    const told = await this.#ask(
      path,
      others.filter(node => responsibility.isAlive(node)),
    )
    const accepted = await replica.accept(acceptance, told.record)
    const isWanting =
      accepted.kind === 'refused' && accepted.because === 'condition' && condition !== 'absent'
    if (!isWanting) return accepted
    // Before a file is said to be missing, those are asked, too, who do not seem to be there.
    const silent = await this.#ask(
      path,
      others.filter(node => !responsibility.isAlive(node)),
    )
    if (silent.record !== undefined) return replica.accept(acceptance, joined(told.record, silent.record))
    return isReplica || told.hasAnswered || silent.hasAnswered ? accepted : { kind: 'unknown' }
  }

  /** What these nodes have of a path, together. */
  async #ask(path: PathName, nodes: readonly NodeId[]) {
    const { peers } = this.#components
    let record: EventualRecord | undefined
    let hasAnswered = false
    const askOne = async (node: NodeId) => {
      try {
        const answer = await peers.ask(node, 'fetch', { path })
        hasAnswered = true
        if (answer.record !== undefined) record = joined(record, answer.record)
      } catch (error) {
        if (errorCode(error) === undefined) throw error
      }
    }
    await Promise.all(nodes.map(askOne))
    return { record, hasAnswered }
  }
}

function joined(a: EventualRecord | undefined, b: EventualRecord): EventualRecord {
  return a === undefined ? b : merge(a, b)
}
