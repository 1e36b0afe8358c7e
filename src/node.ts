/**
 * One node: makes its parts, wires them, starts them in order and stops them in the opposite order. The real
 * program and the simulator both start a node here.
 */
import type { FastifyInstance } from 'fastify'
import type { NodeConfig } from './config.ts'
import type { Env } from './env.ts'
import { StoreError } from './errors.ts'
import { FileService } from './files/file-service.ts'
import type { JoinOutcome, NodeControl } from './http/cluster-routes.ts'
import { buildServer } from './http/server.ts'
import { logDefect } from './invariant.ts'
import {
  addressOf,
  type Closable,
  closeListener,
  finishRequests,
  freePort,
  IDLE_SWEEP_MS,
  listening,
} from './listen.ts'
import {
  isFinal,
  type Joined,
  type JoinInit,
  joinNetwork,
  newcomerCredentials,
  takePart,
} from './membership/join.ts'
import { RETIRED_REFUSED } from './membership/network-config.ts'
import type { ProtocolVersion } from './peer/protocol.ts'
import { WaitingServer } from './peer/waiting-server.ts'
import type { Address, NodeId } from './ring/identifier.ts'
import { OwnVitals } from './ring-node/own-vitals.ts'
import { RingNode } from './ring-node/ring-node.ts'
import { S3Server, type S3ServerConfig } from './s3/server.ts'
import { COPY_REFUSED, eraseStorage, leavePlace, type Place, placeAt } from './storage/data-directory.ts'
import { LmdbStorage } from './storage/lmdb-storage.ts'
import { MemoryStorage } from './storage/memory-storage.ts'
import { VERSION } from './version.ts'

type NodeStorage = LmdbStorage | MemoryStorage

/** How long those who asked a node while it waited for its network may take to send their request and take its answer, ms. */
const WAITING_ANSWERS_MS = 1_000

/** How long a node that was told to join tries the other, ms: whoever asked is waiting, and so are its clients. */
const RUNTIME_JOIN_TIMEOUT_MS = 10_000

/** Why a node ended: it was told to, has left its network for good, its disk is not its own, or the program is wrong. */
export type NodeEnd = 'stopped' | 'departed' | 'halted' | 'broken'

/** What runs between a start and a stop; joining another network replaces all of it. */
interface Running {
  storage: NodeStorage
  ring: RingNode
  server: FastifyInstance
  s3: S3Server
}

/** Nobody has said where the network is: the first node on another port than the usual one is told how it founds one. */
const UNNAMED_BOOT =
  ': none was named, so it is the usual one; the first node of a network takes -b with its own port'

export class StoreNode implements NodeControl {
  readonly #env: Env
  readonly #config: NodeConfig
  readonly #alone: NodeConfig
  readonly #init: { readonly speaks?: ProtocolVersion }
  #port = 0
  #s3Port = 0
  #starting: Promise<string> | undefined
  #stopping: Promise<void> | undefined
  /** Parts that are open, also while a start or a change is under way. */
  #open: Partial<Running> = {}
  /** Servers that still answer their last requests. */
  readonly #retiring = new Set<Promise<void>>()
  readonly #stopSignal = new AbortController()
  #changing = false
  readonly #vitals: OwnVitals
  #end: NodeEnd = 'stopped'
  #hasStarted = false
  readonly #ended: Promise<NodeEnd>
  #resolveEnded: (end: NodeEnd) => void = () => undefined

  /** `speaks` makes the node behave towards others as a program of that protocol version, for tests of an upgrade. */
  constructor(
    components: { readonly env: Env },
    config: NodeConfig,
    init: { readonly speaks?: ProtocolVersion } = {},
  ) {
    this.#env = components.env
    this.#init = init
    this.#config = config
    this.#alone = { ...config, boots: [], foundsWhenNoneHas: false }
    this.#vitals = new OwnVitals(this.#env, { version: VERSION, directory: config.dataDirectory })
    this.#ended = new Promise(resolve => {
      this.#resolveEnded = resolve
    })
  }

  /**
   * Opens the data directory, finds the network, listens, and resolves to the URL where the node answers. A node starts
   * once.
   * @throws StoreError UNAVAILABLE when the data directory or the port cannot be had, no boot node answers in time, or
   *   `stop` was called first; INVALID_REQUEST when the settings contradict the network's; UNAUTHORIZED and
   *   WRONG_NETWORK as a boot node says; DISK_FULL, CORRUPT; what reading a TLS file throws. What was opened is closed
   *   by `stop`.
   */
  start(): Promise<string> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  get ringForTests(): RingNode | undefined {
    return this.#open.ring
  }

  /** Where the S3 endpoint answers; undefined where there is none. */
  get s3Url(): string | undefined {
    const { host, tls, s3 } = this.#config
    return s3 && `${tls === undefined ? 'http' : 'https'}://${addressOf(host, this.#s3Port)}`
  }

  /** Resolves when the node has stopped, whoever wanted it, or is broken. */
  get ended(): Promise<NodeEnd> {
    return this.#ended
  }

  /**
   * Lets running requests finish for up to `shutdownTimeoutMs` and takes no more, then closes everything. Until then the
   * node does its part for the others, without which its own requests had no answer. It may be called at any time, again too.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async join(boot: Address | undefined): Promise<JoinOutcome> {
    const ring = this.#runningRing()
    const { storage } = this.#open
    const boots = boot === undefined ? this.#config.boots : [boot]
    const known = new Set([...ring.members.map.records()].map(({ address }) => address))
    const isMember = boot === undefined ? ring.members.others().length > 0 : known.has(boot)
    if (isMember) return { status: 'member', networkId: ring.network.networkId }
    if (boots.length === 0)
      throw new StoreError('INVALID_REQUEST', 'Say which node to join: {"boot": "HOST:PORT"}.')
    if (ring.members.others().length > 0 || (storage?.statistics().files ?? 0) > 0) {
      const message = 'This node has a network with other nodes or files in it; let it depart first.'
      throw new StoreError('ALREADY_IN_NETWORK', message)
    }
    return this.#exclusively(async () => {
      const joinTimeoutMs = Math.min(RUNTIME_JOIN_TIMEOUT_MS, this.#config.joinTimeoutMs)
      await this.#replace({ ...this.#config, boots, foundsWhenNoneHas: false, joinTimeoutMs })
      return { status: 'joined', networkId: this.#runningRing().network.networkId }
    })
  }

  async depart(options: { readonly stay: boolean }): Promise<void> {
    await this.#exclusively(async () => {
      const ring = this.#runningRing()
      await ring.allNodes.depart(this.#stopSignal.signal)
      this.#env.log.info({ op: 'depart' }, 'everything is handed over')
      if (options.stay) await this.#replace(this.#alone)
    })
  }

  leave(end: NodeEnd = 'departed'): void {
    this.#end = end
    void this.stop()
  }

  async #start(): Promise<string> {
    this.#refuseWhenStopping()
    const { host, tls, dataDirectory } = this.#config
    this.#port = this.#config.port === 0 ? await freePort(host) : this.#config.port
    await this.#run(this.#config)
    this.#hasStarted = true
    const url = `${tls === undefined ? 'http' : 'https'}://${addressOf(host, this.#port)}`
    const address = this.#address()
    this.#env.log.info({ op: 'start', url, address, dataDirectory, version: VERSION }, 'started')
    return url
  }

  /** Opens everything, one after the other. */
  async #run(config: NodeConfig): Promise<void> {
    const { dataDirectory } = config
    const before = dataDirectory === undefined ? 'taken' : await placeAt(dataDirectory)
    const leave = (error: unknown) => this.#leave(error, before)
    const storage = await this.#openStorage()
    this.#open.storage = storage
    this.#refuseWhenStopping()
    const init = this.#joinInit(storage, config)
    const waiting = init.boots.length === 0 ? undefined : await this.#openWaitingServer(init).catch(leave)
    try {
      const joined = await joinNetwork({ env: this.#env, store: storage.replica }, init).catch(leave)
      waiting?.joined()
      this.#refuseWhenStopping()
      await this.#serve(storage, joined, { config, waiting })
    } finally {
      if (waiting !== undefined) this.#retireListener(waiting, WAITING_ANSWERS_MS)
    }
  }

  async #serve(
    storage: NodeStorage,
    joined: Joined,
    { config, waiting }: { readonly config: NodeConfig; readonly waiting: WaitingServer | undefined },
  ): Promise<void> {
    const ring = this.#makeRing(storage, joined)
    this.#open.ring = ring
    const files = new FileService(
      { replication: ring.replication, storage },
      { consistency: ring.network.consistency ?? 'chain', fileBytesMax: config.limits.fileBytesMax },
    )
    const facts = {
      ...{ address: this.#address(), version: VERSION },
      notReadyBecause: () => (this.#stopping === undefined ? undefined : 'The node is stopping.'),
      answered: () => this.#vitals.answered(),
    }
    const isForeign = () => this.leave('halted')
    await takePart(ring, { ...joined, named: { ...config, env: this.#env, isForeign } }, async () => {
      const server = await buildServer({ files, ring, control: this, env: this.#env }, { config, facts })
      this.#open.server = server
      this.#refuseWhenStopping()
      const place = { host: config.host, port: this.#port }
      await listening(config.host, this.#port, () => server.listen(waiting?.shared(place) ?? place))
      waiting?.handedOver()
      if (config.s3 !== undefined) await this.#openS3(ring, storage, { ...config, s3: config.s3 })
    })
  }

  async #openS3(ring: RingNode, storage: NodeStorage, config: S3ServerConfig): Promise<void> {
    const files = new FileService(
      { replication: ring.replication, storage },
      {
        consistency: ring.network.consistency ?? 'chain',
        fileBytesMax: config.limits.fileBytesMax,
        showsReserved: true,
      },
    )
    const s3 = await S3Server.open({ files, env: this.#env }, config)
    this.#open.s3 = s3
    const { host } = config
    const port = config.s3.port === 0 ? this.#s3Port : config.s3.port
    await listening(host, port, () => s3.listen(host, port), '--s3-port')
    this.#s3Port = s3.port
    this.#env.log.info(
      { op: 'start', url: this.s3Url, keys: config.s3.keys.map(({ id }) => id) },
      'S3 endpoint',
    )
  }

  /** A start that was refused leaves no disk of a node that never was. @throws `error`. */
  async #leave(error: unknown, before: Place): Promise<never> {
    const { dataDirectory } = this.#config
    if (dataDirectory !== undefined && before !== 'taken' && isFinal(error)) {
      await this.#open.storage?.close()
      delete this.#open.storage
      await leavePlace(dataDirectory, before)
    }
    throw error
  }

  /** Another network, with an empty disk. When that can't be had, a network of its own, and the error. */
  async #replace(config: NodeConfig): Promise<void> {
    await this.#retire()
    try {
      await this.#run(config)
    } catch (error) {
      await this.#retire()
      if (this.#stopping === undefined) await this.#run(this.#alone)
      throw error
    }
  }

  /** Closes everything but the requests that are still answered, and empties the disk. */
  async #retire(): Promise<void> {
    const { server, s3, ring, storage } = this.#open
    for (const listener of [server, s3]) {
      if (listener === undefined) continue
      this.#retireListener(listener, this.#config.limits.shutdownTimeoutMs)
      while (listener.server.listening) await this.#env.timers.sleep(IDLE_SWEEP_MS)
    }
    await ring?.close()
    await storage?.close()
    this.#open = {}
    await this.#eraseDisk()
  }

  async #eraseDisk(): Promise<void> {
    if (this.#config.dataDirectory !== undefined) await eraseStorage(this.#config.dataDirectory)
  }

  async #exclusively<T>(change: () => Promise<T>): Promise<T> {
    if (this.#changing || this.#stopping !== undefined)
      throw new StoreError('UNAVAILABLE', 'This node is joining, departing or stopping already.')
    this.#changing = true
    try {
      return await change()
    } finally {
      this.#changing = false
    }
  }

  #runningRing(): RingNode {
    const { ring } = this.#open
    if (ring === undefined) throw new StoreError('UNAVAILABLE', 'This node is changing its network.')
    return ring
  }

  #address(): Address {
    return this.#config.advertise ?? addressOf(this.#config.host, this.#port)
  }

  #joinInit(storage: NodeStorage, config: NodeConfig): JoinInit {
    return {
      ...config,
      ...this.#init,
      nodeId: storage.nodeId as NodeId,
      diskBoot: storage.boot,
      address: this.#address(),
      scheme: config.tls === undefined ? 'http' : 'https',
      signal: this.#stopSignal.signal,
      waiting: (boot, error) =>
        this.#env.log.warn(
          { op: 'join', boot, err: error.message },
          `waiting for the boot node${config.namesBoots ? '' : UNNAMED_BOOT}`,
        ),
    }
  }

  async #openWaitingServer(init: JoinInit): Promise<WaitingServer> {
    const { host, tls } = this.#config
    const waiting = await WaitingServer.create({ credentials: newcomerCredentials(this.#env, init), tls })
    await listening(host, this.#port, () => waiting.listen({ host, port: this.#port }))
    return waiting
  }

  /** Closes while its last requests are still answered. */
  #retireListener(listener: Closable, timeoutMs: number): void {
    const closing: Promise<void> = closeListener(this.#env, listener, timeoutMs).finally(() =>
      this.#retiring.delete(closing),
    )
    this.#retiring.add(closing)
  }

  #makeRing(storage: NodeStorage, { network, self, records }: Joined): RingNode {
    const { secret, tls, learn, routing, gossip, trash } = this.#config
    return new RingNode(
      { env: this.#env, storage },
      {
        network,
        self,
        records,
        secret,
        ...this.#init,
        scheme: tls === undefined ? 'http' : 'https',
        ...{ learn, routing, gossip, trash, vitals: () => this.#vitals.of(storage.statistics()) },
        halted: why => {
          this.#env.log.error({ op: 'halt' }, why === 'copied' ? COPY_REFUSED : RETIRED_REFUSED)
          this.leave('halted')
        },
        // What is in memory can't be trusted: nothing of it is saved, and nobody is waited for.
        broken: defect => {
          logDefect(this.#env, defect)
          this.#resolveEnded('broken')
        },
      },
    )
  }

  #openStorage(): Promise<NodeStorage> | NodeStorage {
    const { dataDirectory } = this.#config
    if (dataDirectory === undefined) return new MemoryStorage({ env: this.#env })
    return LmdbStorage.open({ env: this.#env }, { directory: dataDirectory })
  }

  #refuseWhenStopping(): void {
    if (this.#stopping !== undefined)
      throw new StoreError('UNAVAILABLE', 'The node was stopped before it had started.')
  }

  async #stop(): Promise<void> {
    this.#stopSignal.abort(new StoreError('UNAVAILABLE', 'The node was stopped before it had started.'))
    // A start under way sees that it is unwanted, and ends by itself.
    await this.#starting?.catch(() => undefined)
    while (this.#changing) await this.#env.timers.sleep(IDLE_SWEEP_MS)
    const { server, s3, ring, storage } = this.#open
    const listeners = [server, s3].filter(listener => listener !== undefined)
    await Promise.all(listeners.map(listener => finishRequests(this.#env, listener, this.#config.limits)))
    await Promise.all(listeners.map(listener => closeListener(this.#env, listener, 0)))
    await Promise.all(this.#retiring)
    await ring?.close()
    await storage?.close()
    if (this.#end === 'departed') await this.#eraseDisk()
    if (this.#hasStarted) this.#env.log.info({ op: 'stop' }, 'stopped')
    this.#resolveEnded(this.#end)
  }
}
