/**
 * What this node answers when another one asks it something, one to one.
 */
import { Buffer } from 'node:buffer'
import type { JoinAnswer, PeerAnswer, PeerCall, PeerStream, VersionsAnswer } from '../calls/calls.ts'
import type { Vitals } from '../calls/vitals.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { Gossip } from '../membership/gossip/gossip.ts'
import type { Members } from '../membership/members.ts'
import { assertWish, type NetworkState } from '../membership/network-config.ts'
import { Places } from '../membership/places.ts'
import { ownRanges } from '../operations/overlay.ts'
import { ownPart } from '../operations/own-part.ts'
import { Recoveries } from '../operations/recoveries.ts'
import { knowledgeOf } from '../operations/recovery.ts'
import { parseBodyName } from '../peer/body-name.ts'
import type { PeerIdentity } from '../peer/peers.ts'
import { EVENTUAL_VERSION, type PeerVersions } from '../peer/protocol.ts'
import type { ChainRecord } from '../replication/chain/chain-record.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { CheckWord, RangeCheck } from '../replication/chain/range-check.ts'
import { path } from '../replication/chain/record-shapes.ts'
import type { EventualAsk } from '../replication/eventual/eventual-calls.ts'
import type { NodeId } from '../ring/identifier.ts'
import { type PathName, parsePathName } from '../ring/path-name.ts'
import type { Lookups } from '../routing/lookup.ts'
import type { MapRecord } from '../routing/map-record.ts'
import { checkedInline } from '../storage/checked-blocks.ts'
import type { ReplicaStore } from '../storage/replica-store.ts'
import type { Storage } from '../storage/storage.ts'
import type { View, ViewId } from '../views/view.ts'
import type { Detours } from './detours.ts'
import type { EventualParts } from './eventual-wiring.ts'
import { eventualPart } from './replication-of.ts'

/** Calls that show nothing of the machine's: who is in the network, and what lies on the disk. */
const OF_THE_NETWORK: ReadonlySet<PeerCall['kind']> = new Set<PeerCall['kind']>([
  'join',
  'learn',
  'has-body',
  'mend',
  'recovered',
  'recoveries',
  'forward',
  'forwarded',
  'gossip',
  'gossip-probe',
])

/** Checks of ranges under way here; one more is refused. Each reads the disk as fast as it can. */
const CHECKS_MAX = 4

/** What begins the kinds of calls about files that are kept with eventual consistency. */
const EVENTUAL = 'eventual-'

type EventualCall = Extract<
  PeerCall,
  { readonly kind: `${typeof EVENTUAL}${string}` | 'digests' | 'versions' }
>

/** They wait for what they show themselves. */
function isEventual(call: PeerCall): boolean {
  return call.kind.startsWith(EVENTUAL)
}
/** Records that an answer tells of those that a digest lacks, some 100 bytes each. */
const LACKED_MAX = 128

export interface AnswersComponents {
  readonly env: Env
  readonly members: Members
  readonly driver: ChainDriver
  readonly lookups: Lookups<View>
  readonly storage: Storage & { readonly replica: ReplicaStore }
  readonly rangeCheck: Pick<RangeCheck, 'check' | 'mendFrom'>
  /** Undefined where files are kept by chains. */
  readonly eventual: EventualParts | undefined
  readonly versions: Pick<PeerVersions, 'versionFor'>
  readonly detours: Pick<Detours, 'passOn' | 'arrived' | 'tell' | 'isCutOff'>
  readonly network: Pick<NetworkState, 'now' | 'take'>
  /** Undefined where this node does not gossip. */
  readonly gossip: Pick<Gossip, 'answer' | 'probe'> | undefined
}

export class Answers {
  readonly #components: AnswersComponents
  readonly #vitals: (() => Vitals) | undefined
  readonly recoveries: Recoveries
  readonly #places: Places
  #checks = 0

  constructor(components: AnswersComponents, init: { readonly vitals?: (() => Vitals) | undefined }) {
    this.#components = components
    this.#vitals = init.vitals
    const retired = () => components.network.now.retired ?? []
    this.#places = new Places({ ...components, retired })
    this.recoveries = new Recoveries({ ...components, store: components.storage.replica })
  }

  /**
   * What shows views or records leaves when it is durable: an answer that a crash takes back would make others rely on
   * what never was (docs/decisions/0151-nothing-is-shown-before-it-is-durable.md).
   * @throws StoreError, whose code the asking node is told.
   */
  async answer(from: PeerIdentity, call: PeerCall, signal: AbortSignal): Promise<PeerAnswer> {
    const answer = await this.#answer(from, call, signal)
    if (!OF_THE_NETWORK.has(call.kind) && !isEventual(call)) await this.#components.driver.durable()
    return answer
  }

  async #answer(from: PeerIdentity, call: PeerCall, signal: AbortSignal): Promise<PeerAnswer> {
    const { env, members, driver, lookups, storage, rangeCheck, eventual } = this.#components
    switch (call.kind) {
      case 'join':
        return this.#join(from, call)
      case 'learn':
        return this.#learn(from, call)
      case 'lookup': {
        const answer = await lookups.answer(call.request, signal)
        members.notice()
        return answer
      }
      case 'has-body':
        return { has: await storage.replica.hasBlob(parseBodyName(call.blobId)) }
      case 'list':
        if (eventual !== undefined) return eventualPart({ storage, eventual }, call)
        return ownPart({ env, driver, storage }, call)
      case 'ranges':
        return { ranges: ownRanges(driver.known), vitals: this.#vitals?.() }
      case 'digests':
        return eventual !== undefined ? this.#eventual(from, call) : this.#digests(call)
      case 'versions':
        return eventual !== undefined ? this.#eventual(from, call) : this.#versions(call)
      case 'record':
        return this.#record(call.path)
      case 'mend':
        await rangeCheck.mendFrom(call.from, storedPath(call.path))
        return {}
      case 'heal':
        return this.#heal(call.silent)
      case 'holdings':
        return knowledgeOf(driver)
      case 'recover':
        return this.#recover(call)
      case 'recovered':
        await this.recoveries.note(call.recovery, 'now')
        return {}
      case 'recoveries':
        return { recoveries: this.recoveries.all() }
      case 'forward':
        return this.#components.detours.passOn(call)
      case 'forwarded':
        this.#components.detours.arrived(call)
        return {}
      case 'configure':
        return this.#configure(call)
      case 'gossip':
        return this.#components.gossip?.answer(from, call) ?? {}
      case 'gossip-probe':
        return (await this.#components.gossip?.probe(call.node)) ?? {}
      case 'eventual-accept':
      case 'eventual-fetch':
      case 'eventual-take':
      case 'eventual-confirm':
      case 'eventual-collected':
      case 'eventual-forward':
        return this.#eventual(from, call)
    }
  }

  /**
   * A disk that was restored has forgotten what was removed: it neither tells others of what it has nor is asked for it.
   * @throws StoreError INVALID_REQUEST where files are kept by chains; WRONG_NETWORK for a node that was retired; UNAVAILABLE for one that can't be.
   */
  async #eventual(from: PeerIdentity, { met, ...call }: EventualCall): Promise<PeerAnswer> {
    const { driver, eventual } = this.#components
    const { known } = driver
    if (eventual === undefined) throw new StoreError('INVALID_REQUEST', 'This network keeps files by chains.')
    eventual.assertNotRetired(from.nodeId)
    if (met !== undefined) driver.dispatch({ kind: 'boots', boots: [[known.self, met]] })
    const isSelf = from.nodeId === known.self
    if (!isSelf && !known.isGenuine(from.nodeId, from.boot)) {
      this.#heardFrom(from)
      throw new StoreError('UNAVAILABLE', 'That start of the disk can not be: it was restored, or copied.')
    }
    if (known.isHalted) throw new StoreError('UNAVAILABLE', 'The disk of this node was restored, or copied.')
    if (call.kind === 'eventual-forward') return eventual.ways.forward(call)
    const kind = call.kind.startsWith(EVENTUAL) ? call.kind.slice(EVENTUAL.length) : call.kind
    return eventual.node.answer(kind as EventualAsk, call as never)
  }

  async #configure({ network: told, onward }: PeerCall & { kind: 'configure' }): Promise<PeerAnswer> {
    const { network, detours } = this.#components
    await network.take(told)
    detours.tell({ kind: 'configure', network: told }, onward ?? [])
    return { network: network.now }
  }

  #learn(from: PeerIdentity, call: PeerCall & { kind: 'learn' }): PeerAnswer {
    const { members, network } = this.#components
    this.#heardFrom(from)
    members.learn([...call.records, ...members.replacedBy(from)])
    this.#components.detours.tell({ kind: 'learn', records: call.records }, call.onward ?? [])
    return {
      record: members.self,
      network: network.now,
      ...((call.about ?? call.digest) && { records: this.#toldOf(call) }),
    }
  }

  #join(from: PeerIdentity, { record, wish, takesPlace }: PeerCall & { kind: 'join' }): JoinAnswer {
    const { env, members, network, driver, versions, eventual } = this.#components
    assertWish(wish ?? {}, network.now)
    if (eventual !== undefined) versions.versionFor(from.address, EVENTUAL_VERSION, 'eventual consistency')
    env.log.info({ op: 'join', peer: from.address }, 'a node joins')
    const place = takesPlace === true ? this.#places.offer(record) : record.ringAddress
    // Where it will stand it says itself, when it has kept that: an answer may be lost.
    const isElsewhere = place !== record.ringAddress
    members.learn([...(isElsewhere ? [] : [record]), ...members.replacedBy(record)])
    const records = [...members.map.records()]
    return { network: network.now, records, boots: driver.known.starts(), ...(isElsewhere && { place }) }
  }

  /** Those that were asked about, and those that lack in the digest of whoever asks. */
  #toldOf({ records, about = [], digest }: PeerCall & { kind: 'learn' }): MapRecord[] {
    const { members } = this.#components
    const told = about.flatMap(node => members.map.record(node) ?? [])
    const [sender = members.self] = records
    return digest === undefined ? told : [...told, ...members.routing.lackedBy(digest, sender, LACKED_MAX)]
  }

  /** The words of a check, as they come. @throws StoreError OVERLOADED. */
  async *stream(call: PeerStream): AsyncGenerator<CheckWord> {
    if (this.#checks >= CHECKS_MAX)
      throw new StoreError('OVERLOADED', 'Too many checks are under way at this node.', {
        retryAfterSeconds: 10,
      })
    this.#checks++
    try {
      yield* this.#components.rangeCheck.check(call, call)
    } finally {
      this.#checks--
    }
  }

  /** @throws StoreError PRECONDITION_FAILED when somebody has decided something meanwhile. */
  #recover({ view, basis: epoch, basisId }: PeerCall & { kind: 'recover' }): object {
    const { driver, env } = this.#components
    env.log.warn(
      { op: 'recover', epoch: view.epoch, lo: view.lo, hi: view.hi },
      'this node goes on alone with a range',
    )
    // Without its id the basis is whichever view of that epoch comes last: only those of later epochs are newer.
    const basis = basisId === undefined ? { epoch: epoch + 1, id: '' as ViewId } : { epoch, id: basisId }
    driver.dispatch({ kind: 'recover', view, basis })
    if (driver.known.state(view.id)?.installed) return {}
    throw new StoreError('PRECONDITION_FAILED', 'The range has changed since it was looked at; look again.')
  }

  #digests(call: PeerCall & { kind: 'digests' }): PeerAnswer {
    return { digests: call.prefixes.map(prefix => this.#components.driver.kept.digest(call, prefix)) }
  }

  #versions(call: PeerCall & { kind: 'versions' }): VersionsAnswer {
    const { kept } = this.#components.driver
    const versions = Array.from(
      kept.within(call, call.prefix),
      ({ path, version, body }) => [path, version.epoch, version.seq, body !== undefined] as const,
    )
    return { versions }
  }

  /** As the disk has it, checked before it is handed out. @throws StoreError CORRUPT. */
  #record(text: string): { record?: ChainRecord } {
    const { driver, storage } = this.#components
    const path = storedPath(text)
    const file = storage.replica.record(path)?.file
    const record = file === undefined ? undefined : driver.kept.record(path)
    if (file === undefined || record?.body === undefined) return {}
    const { content } = file.body
    if (!('inline' in content)) return { record }
    const inline = Buffer.from(checkedInline(file, content.inline, { first: 0, last: file.body.size }))
    return record.body.sha256 === file.body.sha256
      ? { record: { ...record, body: { ...record.body, content: { inline } } } }
      : {}
  }

  #heal(silent: readonly NodeId[]): { missing: number } {
    const { driver } = this.#components
    driver.dispatch({ kind: 'verify' })
    void this.#components.eventual?.node.heal()
    for (const node of silent) driver.tellMyself({ kind: 'suspect', node })
    return { missing: driver.kept.missingBodies() }
  }

  /**
   * A node that makes itself known listens by now. Between its asking to join and that it refused connections, and
   * counts as dead for it; it has no part in any view yet that would make it say more.
   */
  #heardFrom({ nodeId, boot }: PeerIdentity): void {
    const { driver, detours } = this.#components
    // A node that reaches nobody takes nobody for living whom it only hears.
    if (!detours.isCutOff)
      driver.deliver({ from: nodeId, boot, to: driver.known.self, message: { kind: 'pong' } })
  }
}

/** The path of a file, or that of a trashed version. @throws StoreError INVALID_PATH. */
function storedPath(text: string): PathName {
  return path(text) ? (text as PathName) : parsePathName(text)
}
