/**
 * The way of a node into a network: found one, resume in the one that its disk remembers, or ask a boot node.
 */

import type { JoinAnswer, KnownBoots, NetworkConfig, NetworkWish } from '../calls/calls.ts'
import { datedOf } from '../calls/calls.ts'
import type { Envelope } from '../calls/envelope.ts'
import { byHttp, type Connect, type RingPeers, ringCredentials } from '../calls/ring-peers.ts'
import type { Env } from '../env.ts'
import { type ErrorCode, errorCode, StoreError } from '../errors.ts'
import { distrust } from '../peer/peer-errors.ts'
import type { ProtocolVersion } from '../peer/protocol.ts'
import type { Credentials } from '../peer/wire.ts'
import { FOUNDING_NOTE, isFounding } from '../replication/chain/stable-state.ts'
import { noteStart } from '../replication/chain/starts.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { ReplicaStore } from '../storage/replica-store.ts'
import { assertWish, keepNetwork, NETWORK_DEFAULTS, readMembers, readNetwork } from './network-config.ts'

/** One answer of a boot node, ms. */
const JOIN_CALL_TIMEOUT_MS = 5_000

/** The first pause before a boot node is tried again, ms; it doubles up to the second. */
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 2_000

export interface JoinInit {
  readonly nodeId: NodeId
  readonly diskBoot: number
  readonly address: Address
  readonly zone: string | undefined
  /** Nodes of the network to join; none founds one. */
  readonly boots: readonly Address[]
  /** Found one as soon as every one of `boots` has answered that it has none. */
  readonly foundsWhenNoneHas: boolean
  readonly wish: NetworkWish
  readonly secret: string | undefined
  /** See PeerVersions. */
  readonly speaks?: ProtocolVersion
  readonly scheme: 'http' | 'https'
  /** How long boot nodes are tried, ms. */
  readonly joinTimeoutMs: number
  readonly signal: AbortSignal
  /** Told before each pause; for the terminal. */
  readonly waiting: (boot: Address, error: StoreError) => void
}

/** A node's place in a network. */
export interface Joined {
  readonly network: NetworkConfig
  readonly self: MapRecord
  /** What is known of the others. */
  readonly records: readonly MapRecord[]
  /** Starts of the others that the network remembers. */
  readonly boots?: KnownBoots | undefined
  readonly how: 'founded' | 'joined' | 'resumed'
  /** This node makes the network's first views: it has just founded it, or had crashed before it could. */
  readonly founds: boolean
}

/**
 * Finds the network of this node and keeps it on the disk.
 * @throws StoreError INVALID_REQUEST (settings contradict the network's), UNAVAILABLE (no boot node answered in time),
 *   UNAUTHORIZED, WRONG_NETWORK, PROTOCOL_UNSUPPORTED as a boot node says.
 */
export async function joinNetwork(
  components: { readonly env: Env; readonly store: ReplicaStore; readonly connect?: Connect },
  init: JoinInit,
): Promise<Joined> {
  const { env, store, connect = byHttp } = components
  await noteStart(components, init.diskBoot)
  const joined =
    resume(store, init) ??
    (init.boots.length > 0 ? await ask(env, connect, init) : undefined) ??
    found(env, init)
  assertWish(init.wish, joined.network)
  const notes = joined.how === 'founded' ? [FOUNDING_NOTE] : []
  await keepNetwork(store, joined.network, [joined.self, ...joined.records], notes)
  return joined
}

/** What a node does in its network, as far as its beginning needs it. */
export interface Beginning {
  start(init: { readonly founds: boolean; readonly boots?: KnownBoots | undefined }): void
  readonly allNodes: {
    learnRecoveries(): Promise<void>
    announce(): Promise<void>
    meetNamed(boots: readonly Address[], timeoutMs: number): Promise<void>
  }
}

/** A node begins to take part: it gives up what was recovered without it, listens, starts, and tells everybody that it is there. */
export async function takePart(
  ring: Beginning,
  { how, founds, boots, named }: Pick<Joined, 'how' | 'founds' | 'boots'> & { readonly named?: Named },
  listen: () => Promise<void>,
): Promise<void> {
  if (how === 'resumed') await ring.allNodes.learnRecoveries()
  await listen()
  ring.start({ founds, boots })
  if (how !== 'founded') await ring.allNodes.announce()
  if (how === 'resumed' && named?.namesBoots) void meetNamed(ring, named)
}

/** Who was named for a node, and by whom. */
export interface Named extends Pick<JoinInit, 'boots' | 'joinTimeoutMs'> {
  readonly env: Env
  readonly namesBoots: boolean
  readonly dataDirectory: string | undefined
  /** They belong to another network, and nobody of this node's own answers. */
  readonly isForeign: () => void
}

/**
 * The network that the disk remembers goes before those that were named for this node: they say where one of its nodes lives by now
 * (docs/decisions/0311). Never rejects.
 */
async function meetNamed(ring: Beginning, { env, boots, dataDirectory, ...named }: Named): Promise<void> {
  if (boots.length === 0) return
  try {
    await ring.allNodes.meetNamed(boots, named.joinTimeoutMs)
  } catch (error) {
    if (errorCode(error) !== 'WRONG_NETWORK') return
    const folder = dataDirectory ?? 'The memory of this node'
    const message = `${folder} belongs to another network than ${boots.join(', ')}, and nobody of its own answers: start it there, or with another --data`
    env.log.error({ op: 'join', boots }, message)
    named.isForeign()
  }
}

function resume(store: ReplicaStore, init: JoinInit): Joined | undefined {
  const network = readNetwork(store)
  if (network === undefined) return undefined
  const records = readMembers(store)
  const kept = records.find(({ nodeId }) => nodeId === init.nodeId)
  if (kept === undefined)
    throw new StoreError('CORRUPT', 'The data directory has a network and no own record.')
  const { address, zone } = init
  // Whatever was said of this node while it was away is overridden by its next incarnation.
  const self: MapRecord = { ...kept, address, zone, status: 'alive', incarnation: kept.incarnation + 1 }
  const others = records.filter(record => record !== kept)
  return { network, self, records: others, how: 'resumed', founds: isFounding(store) }
}

function found(env: Env, init: JoinInit): Joined {
  const networkId = Buffer.from(env.randomness.bytes(16)).toString('hex')
  const { replicas, minReplicas, virtualNodes } = { ...NETWORK_DEFAULTS, ...init.wish }
  if (init.wish.minReplicas !== undefined && minReplicas > replicas) {
    const fault = `minReplicas is ${minReplicas} and replicas ${replicas}, so that every write would be refused`
    throw new StoreError('INVALID_REQUEST', `The settings contradict: ${fault}.`)
  }
  const { consistency, conflicts } = init.wish
  if (conflicts !== undefined && consistency !== 'eventual') {
    const fault = `conflicts is ${conflicts}, and only a network with consistency eventual has any`
    throw new StoreError('INVALID_REQUEST', `The settings contradict: ${fault}.`)
  }
  const network: NetworkConfig = {
    networkId,
    replicas,
    minReplicas: Math.min(minReplicas, replicas),
    virtualNodes,
    ...(consistency === 'eventual' && { consistency }),
    ...(conflicts === 'newest' && { conflicts }),
  }
  return { network, self: newRecord(init), records: [], how: 'founded', founds: true }
}

function newRecord({ nodeId, address, zone }: JoinInit): MapRecord {
  return { nodeId, address, ringAddress: address, incarnation: 1, status: 'alive', zone }
}

/** Undefined when this node is to found the network. */
async function ask(env: Env, connect: Connect, init: JoinInit): Promise<Joined | undefined> {
  const self = newRecord(init)
  const peers = connect(
    { env, credentials: newcomerCredentials(env, init) },
    {
      scheme: init.scheme,
      unreachable: () => undefined,
      isMessage: (value): value is Envelope => false,
      dated: what => datedOf('kind' in what ? what : what[1]),
      messages: () => undefined,
    },
  )
  try {
    const answer = await askUntilAnswered(env, init, peers, self)
    if (answer === undefined) return undefined
    const { network, records, boots, place = self.ringAddress } = answer
    return { network, self: { ...self, ringAddress: place }, records, boots, how: 'joined', founds: false }
  } finally {
    await peers.close()
  }
}

/** How a node shows itself that has a secret and no network yet. */
export function newcomerCredentials(
  env: Env,
  init: Pick<JoinInit, 'secret' | 'address' | 'nodeId' | 'diskBoot' | 'speaks'>,
): Credentials {
  const { address, nodeId, diskBoot } = init
  return ringCredentials(env, {
    ...init,
    networkId: () => undefined,
    self: () => ({ address, nodeId, boot: { counter: diskBoot, nonce: '0' } }),
  })
}

async function askUntilAnswered(
  env: Env,
  init: JoinInit,
  peers: Pick<RingPeers, 'call'>,
  record: MapRecord,
): Promise<JoinAnswer | undefined> {
  const deadline = env.clock.monotonicMs() + init.joinTimeoutMs
  // Whoever was asked, now or by an earlier start of this disk, and whose answer was lost may have told others where it stands.
  let isUnheard = init.diskBoot === 1
  for (let round = 0; ; round++) {
    const refusals: [Address, StoreError][] = []
    for (const boot of init.boots) {
      try {
        const options = { timeoutMs: JOIN_CALL_TIMEOUT_MS, signal: init.signal }
        const call = { kind: 'join', record, wish: init.wish, takesPlace: isUnheard } as const
        return (await peers.call(boot, call, options)) as JoinAnswer
      } catch (error) {
        init.signal.throwIfAborted()
        if (!isLate(error)) throw error
        if (errorCode(error) !== 'NO_NETWORK') isUnheard = false
        refusals.push([boot, error as StoreError])
      }
    }
    if (init.foundsWhenNoneHas && refusals.every(([, { code }]) => code === 'NO_NETWORK')) return undefined
    if (env.clock.monotonicMs() > deadline) throw tooLate(init, refusals)
    // Of those that have no network and those that are not there, the latter keep everybody waiting.
    const silent = refusals.find(([, { code }]) => code !== 'NO_NETWORK')
    init.waiting(...(silent ?? (refusals[0] as [Address, StoreError])))
    await env.timers.sleep(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(round, 5)), init.signal)
  }
}

const FINAL: ReadonlySet<unknown> = new Set([
  'INVALID_REQUEST',
  'UNAUTHORIZED',
  'WRONG_NETWORK',
  'PROTOCOL_UNSUPPORTED',
] satisfies ErrorCode[])

/** True when another start of the same kind would be refused as well. */
export function isFinal(error: unknown): boolean {
  return FINAL.has(errorCode(error))
}

/** True when a boot node may still come up, or find its network. */
function isLate(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'UNAVAILABLE' || code === 'NO_NETWORK'
}

function tooLate(init: JoinInit, refusals: readonly (readonly [Address, StoreError])[]): StoreError {
  const found = refusals.map(([boot, { code, cause }]) => {
    if (code === 'NO_NETWORK') return `${boot} has none either`
    const distrusted = distrust(cause)
    if (distrusted === undefined) return `${boot} does not answer`
    return `${boot} shows a certificate that is not trusted (${distrusted})`
  })
  // A single boot node is somebody's network, or will be; several may be nodes that start together.
  const advice = refusals.length > 1 ? ' Of nodes that start a network together, all have to be up once.' : ''
  const message = `No network was found within ${init.joinTimeoutMs / 1000} s: ${found.join(', ')}.${advice}`
  return new StoreError('UNAVAILABLE', message, { cause: refusals.at(-1)?.[1] })
}
