/**
 * Owns one node: makes its parts, wires them, starts them in order and stops them in the opposite order. The real
 * program and the simulator both start a node here.
 */
import { type AddressInfo, createServer } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { NodeConfig } from './config.ts'
import type { Env } from './env.ts'
import { StoreError } from './errors.ts'
import { FileService } from './files/file-service.ts'
import { buildServer } from './http/server.ts'
import { type Joined, joinNetwork } from './membership/join.ts'
import { RingNode } from './membership/ring-node.ts'
import type { Address, NodeId } from './ring/identifier.ts'
import { LmdbStorage } from './storage/lmdb-storage.ts'
import { MemoryStorage } from './storage/memory-storage.ts'
import { VERSION } from './version.ts'

type NodeStorage = LmdbStorage | MemoryStorage

/** How often a stopping node looks for connections that have become idle, ms: too short for a person to notice. */
const IDLE_SWEEP_MS = 50

export class StoreNode {
  readonly #env: Env
  readonly #config: NodeConfig
  #starting: Promise<string> | undefined
  #stopping: Promise<void> | undefined
  #storage: NodeStorage | undefined
  #ring: RingNode | undefined
  readonly #stopSignal = new AbortController()
  #server: FastifyInstance | undefined
  #hasStarted = false

  constructor(components: { readonly env: Env }, config: NodeConfig) {
    this.#env = components.env
    this.#config = config
  }

  /**
   * Opens the data directory, listens, and resolves to the URL where the node answers. A node starts once.
   * @throws StoreError UNAVAILABLE when the data directory or the port cannot be had, or `stop` was called first;
   *   DISK_FULL, CORRUPT; what reading a TLS file throws. What was opened is closed by `stop`.
   */
  start(): Promise<string> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  get ringForTests(): RingNode | undefined {
    return this.#ring
  }

  /**
   * Stops accepting, lets running requests finish for up to `shutdownTimeoutMs`, then closes storage. Safe to call at
   * any time and more than once.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #start(): Promise<string> {
    this.#refuseWhenStopping()
    const { host, tls } = this.#config
    const port = this.#config.port === 0 ? await freePort(host) : this.#config.port
    const address = this.#config.advertise ?? addressOf(host, port)
    const storage = await this.#openStorage()
    this.#storage = storage
    this.#refuseWhenStopping()
    const joined = await this.#join(storage, address)
    this.#refuseWhenStopping()
    const ring = this.#makeRing(storage, joined)
    this.#ring = ring
    const files = new FileService(
      { replication: ring.replication, storage },
      { consistency: 'chain', fileBytesMax: this.#config.limits.fileBytesMax },
    )
    const facts = { address, version: VERSION, notReadyBecause: () => this.#notReadyBecause() }
    this.#server = await buildServer({ files, ring, env: this.#env }, { config: this.#config, facts })
    this.#refuseWhenStopping()
    await listen(this.#server, host, port)
    ring.start({ founds: joined.how === 'founded' })
    if (joined.how !== 'founded') await ring.announce()
    this.#hasStarted = true
    const url = `${tls === undefined ? 'http' : 'https'}://${addressOf(host, port)}`
    const { dataDirectory } = this.#config
    this.#env.log.info({ op: 'start', url, address, dataDirectory, version: VERSION }, 'started')
    return url
  }

  #join(storage: NodeStorage, address: Address): Promise<Joined> {
    const { boots, wish, zone, secret, tls, joinTimeoutMs } = this.#config
    const { env } = { env: this.#env }
    return joinNetwork(
      { env, store: storage.replica },
      {
        nodeId: storage.nodeId as NodeId,
        diskBoot: storage.boot,
        address,
        zone,
        boots,
        wish,
        secret,
        scheme: tls === undefined ? 'http' : 'https',
        joinTimeoutMs,
        signal: this.#stopSignal.signal,
        waiting: (boot, error) =>
          env.log.warn({ op: 'join', boot, err: error.message }, 'waiting for the boot node'),
      },
    )
  }

  #makeRing(storage: NodeStorage, { network, self, records }: Joined): RingNode {
    const { secret, tls, learn } = this.#config
    return new RingNode(
      { env: this.#env, storage },
      {
        network,
        self,
        records,
        secret,
        scheme: tls === undefined ? 'http' : 'https',
        learn,
        halted: () => {
          this.#env.log.error(
            { op: 'halt' },
            'this data directory is a copy, or was restored: it has to join anew',
          )
          void this.stop()
        },
      },
    )
  }

  #openStorage(): Promise<NodeStorage> | NodeStorage {
    const { dataDirectory } = this.#config
    if (dataDirectory === undefined) return new MemoryStorage({ env: this.#env })
    return LmdbStorage.open({ env: this.#env }, { directory: dataDirectory })
  }

  #notReadyBecause(): string | undefined {
    return this.#stopping === undefined ? undefined : 'The node is stopping.'
  }

  #refuseWhenStopping(): void {
    if (this.#stopping !== undefined)
      throw new StoreError('UNAVAILABLE', 'The node was stopped before it had started.')
  }

  async #stop(): Promise<void> {
    this.#stopSignal.abort(new StoreError('UNAVAILABLE', 'The node was stopped before it had started.'))
    // A start under way sees that it is unwanted, and ends by itself.
    await this.#starting?.catch(() => undefined)
    if (this.#server !== undefined) await this.#closeServer(this.#server)
    await this.#ring?.close()
    await this.#storage?.close()
    if (this.#hasStarted) this.#env.log.info({ op: 'stop' }, 'stopped')
  }

  async #closeServer(server: FastifyInstance): Promise<void> {
    const { shutdownTimeoutMs } = this.#config.limits
    const timer = this.#env.timers.after(shutdownTimeoutMs, () => {
      this.#env.log.warn({ op: 'stop', shutdownTimeoutMs }, 'requests that still run are cut off')
      server.server.closeAllConnections()
    })
    let closed = false
    const closing = server.close().finally(() => {
      closed = true
    })
    // A connection that was busy when the closing began stays open, idle, once its request is answered.
    while (!closed) {
      server.server.closeIdleConnections()
      await Promise.race([closing, this.#env.timers.sleep(IDLE_SWEEP_MS)])
    }
    await closing
    timer.cancel()
  }
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressOf(host: string, port: number): Address {
  return `${host.includes(':') ? `[${host}]` : host}:${port}` as Address
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await server.listen({ host, port })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const where = addressOf(host, port)
    const why =
      code === 'EADDRINUSE'
        ? `${where} is in use by another program; choose another port with -p`
        : code === 'EACCES'
          ? `this user may not listen on ${where}; ports below 1024 are often reserved`
          : code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
            ? `${host} is no address of this machine`
            : (cause as Error).message
    throw new StoreError('UNAVAILABLE', `The node can't listen: ${why}.`, { cause })
  }
}

/** A port that was free a moment ago: receipts name the node by it, so it must be known before the server is built. */
async function freePort(host: string): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, host, resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise(resolve => probe.close(resolve))
  return port
}
