/**
 * What has to be true of each answer of the machines, at the moment when it is given: a wrong one shows there, and not only when
 * the history of a run can't be explained.
 */
import { type ChainRecord, compareVersions } from '../../replication/chain/chain-record.ts'
import type { Outcome } from '../../replication/chain/machine-state.ts'
import type { ClientRequest } from '../../replication/entry/requests.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'
import { InvariantBroken } from './invariant-broken.ts'

export interface AnswerInvariantsComponents {
  /** The newest write of a path that a client was told of; none where force was used. */
  readonly acknowledged: (path: PathName) => Version | undefined
  readonly isForced: (path: PathName) => boolean
}

export class AnswerInvariants {
  readonly #components: AnswerInvariantsComponents
  /** What was acknowledged when each read began. */
  readonly #owed = new WeakMap<ClientRequest, Version>()
  /** What was told of each key, of a path. */
  readonly #told = new Map<string, string>()

  constructor(components: AnswerInvariantsComponents) {
    this.#components = components
  }

  asked(request: ClientRequest): void {
    if (request.kind !== 'get') return
    const owed = this.#components.acknowledged(request.path)
    if (owed !== undefined) this.#owed.set(request, owed)
  }

  answered(request: ClientRequest, outcome: Outcome): void {
    if (request.kind === 'get' && outcome.kind === 'value')
      this.#assertFresh(request.path, outcome.record, this.#owed.get(request))
    if ('key' in request && request.key !== undefined) this.#assertOnce(request, request.key.key, outcome)
  }

  /** A node has read its own record, without asking anybody. */
  readAtOnce(path: PathName, record: ChainRecord): void {
    this.#assertFresh(path, record, this.#components.acknowledged(path))
  }

  /** A read shows whatever was acknowledged before it began. */
  #assertFresh(path: PathName, { version }: ChainRecord, owed: Version | undefined): void {
    if (owed === undefined || this.#components.isForced(path) || compareVersions(version, owed) >= 0) return
    const what = `${showVersion(version)} of ${path}, and ${showVersion(owed)} was acknowledged`
    throw new InvariantBroken(`A read shows ${what} before it began`, [path])
  }

  /** A key has one outcome for good: one version, or a refusal. */
  #assertOnce(
    request: Exclude<ClientRequest, { kind: 'get' | 'copy' }>,
    key: string,
    outcome: Outcome,
  ): void {
    const path = request.kind === 'move' ? request.to : request.path
    const isRefusal = outcome.kind === 'failed' && /condition|no-source/.test(outcome.reason)
    if ((outcome.kind !== 'done' && !isRefusal) || this.#components.isForced(path)) return
    const said = outcome.kind === 'done' ? showVersion(outcome.version) : 'refused'
    const name = `${path} ${key}`
    const before = this.#told.get(name)
    if (before !== undefined && before !== said)
      throw new InvariantBroken(`The key ${key} of ${path} was ${before} and is ${said}`, [path])
    this.#told.set(name, said)
  }
}

/** A version as a transcript and a broken invariant show it. */
export function showVersion({ epoch, seq }: Version): string {
  return `${epoch}.${seq}`
}
