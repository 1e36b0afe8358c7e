/**
 * One node's place in its network: it wires the machine of replication, the network map, lookups and the messages
 * of other nodes, and answers what they ask.
 */
import type { Readable } from 'node:stream'
import { bodyPeers } from '../calls/body-peers.ts'
import type { NetworkConfig } from '../calls/calls.ts'
import {
  datedOf,
  isPeerCall,
  isPeerStream,
  type PeerAnswer,
  type PeerCall,
  type PeerStream,
} from '../calls/calls.ts'
import { type Envelope, isEnvelope } from '../calls/envelope.ts'
import { byHttp, type Connect, type RingPeers, ringCredentials } from '../calls/ring-peers.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import { Gossip } from '../membership/gossip/gossip.ts'
import type { Joined } from '../membership/join.ts'
import { Members } from '../membership/members.ts'
import { NetworkState } from '../membership/network-config.ts'
import { Strangers, strangersTo } from '../membership/strangers.ts'
import { AllNodes, type AllNodesComponents } from '../operations/all-nodes.ts'
import { Asking } from '../operations/asking.ts'
import type { Whereabouts } from '../peer/peer-requests.ts'
import type { PeerReception } from '../peer/peer-routes.ts'
import type { BodyAnnouncement, PeerIdentity, Unreachable } from '../peer/peers.ts'
import { RoundTrips } from '../peer/round-trips.ts'
import type { Credentials } from '../peer/wire.ts'
import { BodyCarrier } from '../replication/chain/body-carrier.ts'
import { ChainDriver } from '../replication/chain/driver.ts'
import type { MembersChange } from '../replication/chain/machine-state.ts'
import type { Message } from '../replication/chain/messages.ts'
import { holdersOf } from '../replication/chain/network-view.ts'
import type { CheckWord } from '../replication/chain/range-check.ts'
import type { Replication } from '../replication/replication.ts'
import { type Address, type Identifier, identifierOfPath, identifiersOfAddress } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { LookupResult, Lookups } from '../routing/lookup.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { BlobId } from '../storage/record.ts'
import type { NodeId, View } from '../views/view.ts'
import { Answers } from './answers.ts'
import { Detours } from './detours.ts'
import { type EventualParts, eventualPartsOf, storeOfViews } from './eventual-wiring.ts'
import { type KelipsUpkeep, routingOf, upkeepOf } from './kelips-upkeep.ts'
import { RefusedBodies } from './refused-bodies.ts'
import { rangeCheckOf, replicationOf } from './replication-of.ts'
import { lookupInTime, ringLookups } from './ring-lookups.ts'
import { type RingNodeComponents, type RingNodeInit, settingsOf } from './ring-node-parts.ts'
import { keepTrash } from './trash-keeper.ts'

export class RingNode implements PeerReception<Envelope, PeerCall, PeerAnswer, PeerStream> {
  readonly members: Members
  readonly driver: ChainDriver
  readonly replication: Replication
  readonly refusedBodies: RefusedBodies
  /** Undefined where files are kept by chains. */
  readonly eventual: EventualParts | undefined
  readonly credentials: Credentials
  readonly allNodes: AllNodes
  /** Undefined where it is switched off. */
  readonly gossip: Gossip | undefined
  readonly #env: Env
  readonly #storage: RingNodeComponents['storage']
  readonly #self: NodeId
  readonly #halted: RingNodeInit['halted']
  readonly #peers: RingPeers
  readonly #carrier: BodyCarrier
  readonly #lookups: Lookups<View>
  readonly #answers: Answers
  readonly #network: NetworkState
  readonly #roundTrips = new RoundTrips()
  readonly #closing = new AbortController()
  readonly #strangers: Strangers
  readonly #detours: Detours
  readonly #asking: Asking
  /** Undefined where the node routes otherwise. */
  readonly #kelips: KelipsUpkeep | undefined
  readonly #hear = (from: PeerIdentity, some: readonly Envelope[]) => this.#onMessages(from, some)
  /** While the messages of one node are handled: what is said to it meanwhile, to ride on the reply. */
  #replying: { readonly to: NodeId; readonly messages: Envelope[] } | undefined

  constructor(components: RingNodeComponents, init: RingNodeInit) {
    const { env, storage } = components
    this.#env = env
    this.#storage = storage
    this.#self = init.self.nodeId
    this.#halted = init.halted
    this.#network = new NetworkState({ store: storage.replica, changed: () => this.#copiesChanged() }, init)
    const own = { networkId: () => init.network.networkId, self: () => this.#identity() }
    this.credentials = ringCredentials(env, { ...init, ...own })
    const { connect = byHttp, drive = (...parts) => new ChainDriver(...parts) } = components
    this.#peers = this.#makePeers(connect, init)
    this.driver = drive(
      {
        env,
        ...storeOfViews(storage.replica, init.network, () => this.eventual?.node.syncing.viewsChanged()),
        send: (to, message) => this.#send(to, message),
        learned: of => this.members.taught(of),
        roundTrips: { limitMs: node => this.#roundTrips.limitMs(node && this.members.addressOf(node)) },
      },
      {
        self: this.#self,
        diskBoot: storage.boot,
        settings: settingsOf(init),
        ...{ halted: () => init.halted('copied'), broken: init.broken },
        restarted: () => this.#restarted(),
      },
    )
    this.members = this.#makeMembers(init)
    const { driver, members } = this
    this.refusedBodies = new RefusedBodies({ env, driver }, () => members.others())
    const lookUp = (path: PathName) => this.lookup(identifierOfPath(path))
    const late = { asking: () => this.#asking, carrier: () => this.#carrier, lookUp }
    this.eventual = eventualPartsOf({ env, storage, network: this.#network, driver, members, ...late })
    this.#carrier = this.#makeCarrier()
    this.replication = this.#makeReplication()
    const { replication } = this
    if (init.trash !== undefined && this.eventual === undefined)
      keepTrash({ env, storage, replication, known: driver.known }, init.trash, this.#closing.signal)
    const calling = { env, members, call: this.#peers.call.bind(this.#peers), signal: this.#closing.signal }
    this.#strangers = new Strangers({ ...calling, ...strangersTo(driver, env.timers, () => this.gossip) })
    this.#kelips = upkeepOf({ ...calling, driver })
    const observe = (record: MapRecord) => this.#strangers.observe(record)
    this.#lookups = ringLookups({ ...calling, driver, observe, keepView: view => this.#keepView(view) })
    const links = { peers: this.#peers, roundTrips: this.#roundTrips, credentials: this.credentials }
    const detouring = { ...calling, ...links, driver, messages: this.#hear, reached: this.#strangers }
    this.#detours = new Detours(detouring)
    this.gossip = init.gossip && new Gossip({ ...calling, driver, kelips: this.#kelips }, init.gossip)
    const answering = { ...calling, driver, storage, network: this.#network, gossip: this.gossip }
    const { versions } = this.credentials
    const ways = { lookups: this.#lookups, detours: this.#detours, eventual: this.eventual, versions }
    const checking = { env, storage, driver, carrier: this.#carrier, eventual: this.eventual }
    const askRecord = (node: NodeId, path: PathName) => this.allNodes.record(node, path)
    const rangeCheck = rangeCheckOf({ ...checking, askRecord })
    this.#answers = new Answers({ ...answering, ...ways, rangeCheck }, init)
    const sending = { send: (to: NodeId, message: Message) => this.#sendNow(to, message) }
    const stream = this.#peers.stream.bind(this.#peers)
    this.#asking = new Asking({ ...calling, ...sending, stream, driver })
    this.allNodes = this.#makeAllNodes({ ...calling, vitals: init.vitals })
  }

  /** How many copies there are can change while the node runs. */
  get network(): NetworkConfig {
    return this.#network.now
  }

  #makePeers(connect: Connect, init: RingNodeInit): RingPeers {
    return connect(
      { env: this.#env, credentials: this.credentials },
      {
        scheme: init.scheme,
        unreachable: (address, how) => this.#onUnreachable(address, how),
        isMessage: isEnvelope,
        dated: what => datedOf('kind' in what ? what : what[1]),
        messages: this.#hear,
        replaced: there => this.#onReplaced(there),
        took: (peer, ms) => this.#took(peer, ms),
      },
    )
  }

  #identity(): PeerIdentity {
    return { address: this.members.self.address, nodeId: this.#self, boot: this.driver.known.boot }
  }

  /** Begins to take part. A founder makes the network's first views. */
  start(init: { readonly founds: boolean; readonly boots?: Joined['boots'] | undefined }): void {
    if (init.founds) {
      const { ringAddress } = this.members.self
      const identifiers = identifiersOfAddress(ringAddress, this.network.virtualNodes)
      this.driver.dispatch({ kind: 'found', identifiers })
    }
    this.driver.dispatch({ kind: 'boots', boots: init.boots ?? [] })
    this.driver.dispatch({ kind: 'members', members: this.members.chainMembers() })
    this.driver.start()
    this.gossip?.start()
    this.eventual?.node.syncing.viewsChanged()
  }

  /** The recursive lookup of a key. @throws StoreError UNAVAILABLE. */
  async lookup(key: Identifier): Promise<LookupResult<View>> {
    const result = await lookupInTime(this.#lookups, key, this.#env, this.#closing.signal)
    this.#keepView(result.view)
    this.members.notice()
    return result
  }

  introduce(address: Address): Promise<void> {
    return this.#strangers.introduce(address)
  }

  async close(): Promise<void> {
    this.#closing.abort(new StoreError('UNAVAILABLE', 'The node is stopping.'))
    this.driver.close()
    this.eventual?.node.close()
    this.#carrier.close()
    await this.#peers.close()
  }

  // What other nodes ask.
  readonly isMessage = isEnvelope
  readonly isCall = isPeerCall
  readonly isStream = isPeerStream

  messages(from: PeerIdentity, messages: readonly Envelope[]): readonly Envelope[] {
    // Silent until somebody was reached: who hears nothing goes on without this node.
    if (this.#detours.isCutOff) {
      this.#peers.send(from.address, [from.nodeId, { kind: 'ping' }])
      return []
    }
    const replying = { to: from.nodeId, messages: [] as Envelope[] }
    this.#replying = replying
    try {
      this.#onMessages(from, messages)
    } finally {
      this.#replying = undefined
    }
    return replying.messages
  }

  async call(from: PeerIdentity, call: PeerCall, signal: AbortSignal): Promise<PeerAnswer> {
    const answer = await this.#answers.answer(from, call, signal)
    // Whoever asks to join does not listen yet.
    if (call.kind !== 'join') this.#strangers.heardFrom(from)
    this.#detours.heardFrom(from.address)
    return answer
  }

  stream(_from: PeerIdentity, call: PeerStream): AsyncIterable<CheckWord> {
    return this.#answers.stream(call)
  }

  openBody(_from: PeerIdentity, blobId: BlobId, first: number, last?: number): Promise<Readable> {
    return this.#storage.replica.openBlob(blobId, first, last)
  }

  async stageBody(
    _from: PeerIdentity,
    blobId: BlobId,
    announced: BodyAnnouncement,
    body: Readable,
    signal: AbortSignal,
  ) {
    if ('sha256' in announced) await this.#carrier.receive({ blobId, ...announced }, body, signal)
    else await this.#carrier.receiveAhead(blobId, body, announced.onward, signal)
    return { has: true }
  }

  #restarted(): void {
    this.driver.dispatch({ kind: 'members', members: this.members.chainMembers() })
    this.#copiesChanged()
  }

  #copiesChanged(): void {
    if (this.network.retired?.includes(this.#self)) this.#halted('retired')
    const { replicas, minReplicas } = this.network
    this.driver.dispatch({ kind: 'configure', replicas, minReplicas })
  }

  #send(to: NodeId, message: Message): void {
    if (message.kind === 'stage' || message.kind === 'stage-on' || message.kind === 'blob') {
      this.#carrier.carry(to, message)
    } else this.#sendNow(to, message)
  }

  #sendNow(meant: NodeId, message: Message): void {
    const to = this.#kelips?.receiverOf(meant, message) ?? meant
    const address = this.members.addressOf(to)
    if (this.#replying?.to === to) this.#replying.messages.push([to, message])
    else if (address !== undefined) {
      this.#peers.send(address, [to, message])
      this.#detours.sent({ nodeId: to, address }, [to, message])
    } else void this.#sendToStranger(to, message)
  }

  /** Whoever waits for the answer of a node that nobody knows must not wait until its deadline. */
  async #sendToStranger(to: NodeId, message: Message): Promise<void> {
    if (this.#kelips?.isSought(message) !== false && (await this.#strangers.meet(to)))
      this.#sendNow(to, message)
    else this.driver.dispatch({ kind: 'unreachable', node: to })
  }

  #onMessages(from: PeerIdentity, messages: readonly Envelope[]): void {
    this.#strangers.heardFrom(from)
    this.#detours.heardFrom(from.address)
    for (const [to, message] of messages) {
      if (message.kind === 'stage' || message.kind === 'stage-on' || message.kind === 'blob') {
        // The message of a body that never came is dropped; whoever needs it asks again.
        void this.#carrier.hasBody(message).then(isHere => isHere && this.#dispatch(from, to, message))
      } else this.#dispatch(from, to, message)
    }
  }

  #dispatch({ nodeId, boot, address }: PeerIdentity, to: NodeId, message: Message): void {
    this.#kelips?.heard(message)
    if (this.driver.deliver({ from: nodeId, boot, to, message })) return
    const { kind } = message
    this.#env.log.error({ op: 'peer.refused', peer: address, kind }, 'a message contradicts what was decided')
  }

  #took(peer: Address, ms: number): void {
    this.#roundTrips.took(peer, ms)
    this.#detours.took(peer)
  }

  /** An address that answers as another disk proves the one dead that was meant. */
  #onReplaced(there: Whereabouts): void {
    this.members.learn(this.members.replacedBy(there))
    this.#strangers.heardFrom(there)
  }

  /** A hop that failed is the occasion on which the machine finds out whether the node is gone. */
  #onUnreachable(address: Address, how: Unreachable): void {
    const record = this.members.there().find(one => one.address === address)
    if (record === undefined) return
    this.#env.log.debug({ op: 'peer.unreachable', peer: address, how }, 'peer did not answer')
    if (this.gossip?.isAsking(address)) return
    if (how === 'refused') this.#detours.refused(record)
    else this.#detours.silent(record)
  }

  #makeAllNodes(parts: Pick<AllNodesComponents, 'env' | 'members' | 'call' | 'signal' | 'vitals'>): AllNodes {
    return new AllNodes({
      ...parts,
      driver: this.driver,
      asking: this.#asking,
      own: this.#answers,
      lookup: key => this.lookup(key),
      learnNeighbours: () => this.#kelips?.learnNeighbours(),
      network: this.#network,
      versions: this.credentials.versions,
      files: () => this.#storage.statistics().files,
      isHandedOver: () => this.eventual?.node.isHandedOver ?? true,
    })
  }

  #makeReplication(): Replication {
    const parts = { env: this.#env, storage: this.#storage, driver: this.driver, carrier: this.#carrier }
    return replicationOf(
      {
        ...parts,
        eventual: this.eventual,
        addressOf: node => this.members.addressOf(node),
        lookup: async path => (await this.lookup(identifierOfPath(path))).chain.map(({ address }) => address),
        refused: error => this.refusedBodies.note(error),
        askOthers: ask => this.allNodes.list(ask),
      },
      { signal: this.#closing.signal },
    )
  }

  #makeMembers(init: RingNodeInit): Members {
    const components = {
      env: this.#env,
      store: this.#storage.replica,
      changed: (change: MembersChange) => this.driver.dispatch({ kind: 'members-changed', ...change }),
      refuted: () => this.allNodes.meetAgain(),
      // Who is told of its own death can refute it.
      died: ({ nodeId, address }: MapRecord) => void this.#strangers.meet(nodeId, address),
      returned: ({ nodeId }: MapRecord) => this.allNodes.meetAgain(nodeId),
      contested: (address: Address) => void this.#strangers.askWhoLivesAt(address),
    }
    const ways = { ring: this, network: this.#network, roundTrips: this.#roundTrips }
    return new Members({ ...components, routing: routingOf(init.routing, ways) }, init)
  }

  #makeCarrier(): BodyCarrier {
    const { driver, members } = this
    this.#storage.whenHanging?.(fault => driver.diskHangs(fault))
    return new BodyCarrier({
      env: this.#env,
      store: this.#storage.replica,
      peers: bodyPeers({
        peers: this.#peers,
        addressOf: node => (this.#kelips ?? members).addressOf(node),
        timers: this.#env.timers,
        signal: this.#closing.signal,
      }),
      self: this.#self,
      send: (to, message) => (to === this.#self ? driver.tellMyself(message) : this.#sendNow(to, message)),
      undelivered: node => driver.tellMyself({ kind: 'suspect', node }),
      nowhere: message => {
        if (message.kind === 'stage') driver.dispatch({ kind: 'body-nowhere', tag: message.tag })
      },
      isKept: blobId => this.eventual?.node.replica.table.hasBody(blobId) ?? driver.kept.hasBody(blobId),
      refused: error => this.refusedBodies.note(error, true),
      holders: path => this.eventual?.holdersOf(path) ?? holdersOf(driver.known, path),
    })
  }

  readonly #keepView = (view: View) => {
    this.#kelips?.keep(view)
    this.driver.tellMyself({ kind: 'teach', views: [view] })
  }
}
