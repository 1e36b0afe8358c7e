/**
 * A network of real processes for tests: nodes on free ports with data directories of their own, that crash, pause,
 * lose their disk and come back, and the condition that every range is kept where it belongs.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Address,
  type Identifier,
  identifierOfPath,
  identifiersOfAddress,
} from '../../src/ring/identifier.ts'
import type { PathName } from '../../src/ring/path-name.ts'
import { type Client, openClient } from './client.ts'
import {
  type Exit,
  freePort,
  type NodeProcess,
  runNode,
  type StartOptions,
  startNode,
  waitFor,
} from './harness.ts'
import { Links } from './links.ts'

export interface ClusterOptions {
  readonly nodes: number
  /** Flags of every node. */
  readonly flags?: readonly string[]
  /** With links between the nodes that can be cut; no nodes can be added later. */
  readonly linked?: boolean
  /** Where the data of a node lies, when not in a folder of the cluster's. */
  readonly dataDirectories?: Readonly<Record<number, string>>
  /** As which user a node runs, when not as this one. */
  readonly users?: Readonly<Record<number, number>>
  /** What a node finds in its environment beside what all do. */
  readonly environments?: Readonly<Record<number, Readonly<Record<string, string>>>>
  /** Flags of Node itself, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[]
  /** The file that every node runs. Default: the start.js of the compiled program. */
  readonly program?: string
  /** How far the wall clock of a node is ahead, ms; asked at each of its starts. */
  readonly clockOffsetMs?: (index: number) => number
  /** Somebody sends messages that are none: that a node refuses one is no fault. */
  readonly isLiedTo?: boolean
}

/** One place in the cluster: an address and a data directory, with a process or without. */
export interface ClusterNode {
  readonly name: string
  readonly port: number
  readonly address: string
  readonly dataDirectory: string
  readonly client: Client
  /** The running process. @throws Error when there is none. */
  readonly process: NodeProcess
  readonly isRunning: boolean
}

const CLOCK_PRELOAD = new URL('./clock-preload.js', import.meta.url).href

/** Copies of each file, and identifiers of each node: the network's defaults. */
const REPLICAS = 3
const VIRTUAL_NODES = 8

/** Longest wait for one condition of a whole cluster, ms. Generous: the machines that run tests are shared. */
export const CLUSTER_TIMEOUT_MS = 120_000

/** A network counts as quiet when its nodes have said nothing to each other for this long, ms: longer than a back-off. */
const QUIET_MS = 1_500

class Place implements ClusterNode {
  readonly name: string
  readonly port: number
  readonly client: Client
  dataDirectory: string
  running: NodeProcess | undefined

  constructor(init: { readonly name: string; readonly port: number; readonly dataDirectory: string }) {
    this.name = init.name
    this.port = init.port
    this.dataDirectory = init.dataDirectory
    this.client = openClient(`http://127.0.0.1:${init.port}`)
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get isRunning(): boolean {
    return this.running !== undefined
  }

  get process(): NodeProcess {
    if (this.running === undefined) throw new Error(`${this.name} does not run`)
    return this.running
  }
}

export class Cluster {
  readonly #folder: string
  readonly #options: ClusterOptions
  readonly #places: Place[] = []
  #links: Links | undefined
  #wiped = 0
  #copies = 0
  /** What ended processes had printed. */
  readonly #printed: string[] = []

  private constructor(folder: string, options: ClusterOptions) {
    this.#folder = folder
    this.#options = options
  }

  /** Starts all nodes and waits until every range has its replicas. Close it. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'altered-chord-cluster-'))
    const cluster = new Cluster(folder, options)
    try {
      for (let index = 0; index < options.nodes; index++) await cluster.#addPlace()
      if (options.linked) cluster.#links = await Links.open(cluster.nodes.map(({ address }) => address))
      for (const place of cluster.#places) await cluster.#startPlace(place)
      await cluster.settled()
      return cluster
    } catch (error) {
      await cluster.close()
      throw error
    }
  }

  get nodes(): readonly ClusterNode[] {
    return this.#places
  }

  get running(): readonly ClusterNode[] {
    return this.#places.filter(place => place.isRunning)
  }

  node(index: number): ClusterNode {
    return this.#place(index)
  }

  /** One more node, which joins whoever runs; the first one founds the network. */
  async add(): Promise<ClusterNode> {
    const place = await this.#addPlace()
    await this.#startPlace(place)
    return place
  }

  /** So many more nodes, all started at the same moment. */
  async addTogether(count: number, timeoutMs: number = CLUSTER_TIMEOUT_MS): Promise<void> {
    const places: Place[] = []
    for (let number = 0; number < count; number++) places.push(await this.#addPlace())
    await Promise.all(places.map(place => this.#startPlace(place, timeoutMs)))
  }

  /** The links between the nodes. @throws Error when the cluster was started without. */
  get links(): Links {
    if (this.#links === undefined) throw new Error('the cluster has no links')
    return this.#links
  }

  /** Starts a node that was stopped or killed, on its disk. */
  restart(index: number): Promise<void> {
    return this.#startPlace(this.#place(index))
  }

  /** Starts a node that was stopped or killed as a new one: same address, empty disk. */
  async restartWiped(index: number): Promise<void> {
    const place = this.#place(index)
    await rm(place.dataDirectory, { recursive: true, force: true })
    if (this.#options.dataDirectories?.[index] === undefined)
      place.dataDirectory = join(this.#folder, `node-${index}-again-${++this.#wiped}`)
    await this.#startPlace(place)
  }

  /** Keeps a copy of the disk of a node that does not run, and returns its folder. */
  async copyDisk(index: number): Promise<string> {
    const copy = join(this.#folder, `copy-${++this.#copies}`)
    await cp(this.#place(index).dataDirectory, copy, { recursive: true })
    return copy
  }

  /**
   * Starts a copy of a node's disk beside that node, at another port, and waits until it ends: the others know its name
   * as somebody else's. @throws Error with all that it printed when it is still there in the end.
   */
  async startCopy(index: number, copy: string, timeoutMs: number = CLUSTER_TIMEOUT_MS): Promise<Exit> {
    const options = this.#startOptions(this.#place(index))
    return this.#refused({ ...options, port: await freePort(), dataDirectory: copy }, timeoutMs)
  }

  /** Starts a node that does not run on an older copy of its disk, and waits until it ends. */
  async startRestored(index: number, copy: string, timeoutMs: number = CLUSTER_TIMEOUT_MS): Promise<Exit> {
    return this.#refused({ ...this.#startOptions(this.#place(index)), dataDirectory: copy }, timeoutMs)
  }

  async #refused(options: StartOptions, timeoutMs: number): Promise<Exit> {
    const finished = await runNode(options, timeoutMs)
    this.#printed.push(`--- a copied disk, ended\n${finished.stdout}${finished.stderr}`)
    return finished
  }

  async kill(index: number): Promise<Exit> {
    const { process } = this.#place(index)
    const exit = await process.kill()
    this.#ended(index)
    return exit
  }

  async stop(index: number): Promise<void> {
    const { process } = this.#place(index)
    const exit = await process.stop()
    this.#ended(index)
    if (exit.code !== 0) throw new Error(`node ${index} ended ${JSON.stringify(exit)}:\n${process.output()}`)
  }

  /** Everything that all processes printed. */
  output(): string {
    const running = this.#places.flatMap(({ name, running }) =>
      running === undefined ? [] : [`--- ${name}\n${running.output()}`],
    )
    return [...this.#printed, ...running].join('\n')
  }

  /** Waits until every range has its replicas and nothing is left to repair: the nodes are silent. Not under load. */
  async settled(timeoutMs: number = CLUSTER_TIMEOUT_MS): Promise<void> {
    await this.replicated(timeoutMs)
    // Those that gossip are never silent.
    if (!this.#options.flags?.includes('--gossip')) await this.quiet(timeoutMs)
  }

  /**
   * Waits until every range of the ring is kept by the running nodes that follow it, as receipts of writes through
   * every node say.
   */
  async replicated(timeoutMs: number = CLUSTER_TIMEOUT_MS): Promise<void> {
    const samples = samplesOf(this.running.map(({ address }) => address))
    let wrong = ''
    const isKept = async ({ path, replicas }: Sample, entry: ClusterNode): Promise<boolean> => {
      const reply = await entry.client
        .put(path, path, { query: '?overwrite=true' })
        .catch((error: unknown) => ({ status: 0, json: () => ({ error: String(error) }) }))
      const { replicas: holders, consistency } = reply.json() as {
        replicas?: readonly string[]
        consistency?: string
      }
      // With eventual consistency the write is at one node; the others follow.
      const found = consistency === 'eventual' ? await lookedUp(entry.client, path) : holders
      const right = reply.status < 300 && found?.join() === replicas.join()
      if (!right)
        wrong = `${entry.name} ${path} ${reply.status} ${JSON.stringify(reply.json())}, not ${replicas}`
      return right
    }
    const all = async () => {
      const { running } = this
      for (const [index, sample] of samples.entries()) {
        if (!(await isKept(sample, running[index % running.length] as ClusterNode))) return false
      }
      return true
    }
    await waitFor(all, { what: 'every range has its replicas', timeoutMs, pauseMs: 200 }).catch(error => {
      throw new Error(`${(error as Error).message}; the last that was wrong: ${wrong}\n${this.output()}`)
    })
  }

  /** Waits until the nodes have said nothing to each other for a while. */
  async quiet(timeoutMs: number = CLUSTER_TIMEOUT_MS): Promise<void> {
    let last = -1
    let since = performance.now()
    const isQuiet = async () => {
      const count = await this.peerRequests()
      if (count !== last) {
        last = count
        since = performance.now()
      }
      return performance.now() - since >= QUIET_MS
    }
    await waitFor(isQuiet, { what: 'the nodes are silent', timeoutMs, pauseMs: 250 })
  }

  /** Requests that the running nodes have answered each other since they started. */
  async peerRequests(): Promise<number> {
    const counts = await Promise.all(this.running.map(({ client }) => peerRequestsOf(client)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** @throws Error when one node found a message of another malformed: all run the same program. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#places.map(({ client }) => client.close()))
    await Promise.allSettled(this.#places.map(({ running }) => running?.kill()))
    await this.#links?.close()
    await rm(this.#folder, { recursive: true, force: true })
    const malformed = this.output().match(/^.*is not as the peer protocol has it.*$/m)
    if (malformed !== null && !this.#options.isLiedTo)
      throw new Error(`A message was refused: ${malformed[0]}`)
  }

  async #addPlace(): Promise<Place> {
    const index = this.#places.length
    const dataDirectory = this.#options.dataDirectories?.[index] ?? join(this.#folder, `node-${index}`)
    const ports = this.#places.map(({ port }) => port)
    let port = await freePort()
    while (ports.includes(port)) port = await freePort()
    const place = new Place({ name: `node ${index}`, port, dataDirectory })
    this.#places.push(place)
    return place
  }

  #place(index: number): Place {
    const place = this.#places[index]
    if (place === undefined) throw new Error(`there is no node ${index}`)
    return place
  }

  #ended(index: number): void {
    const place = this.#place(index)
    this.#printed.push(`--- ${place.name}, ended\n${place.running?.output()}`)
    place.running = undefined
  }

  async #startPlace(place: Place, readyTimeoutMs: number = CLUSTER_TIMEOUT_MS): Promise<void> {
    place.running = await startNode({ ...this.#startOptions(place), readyTimeoutMs })
  }

  #startOptions(place: Place): StartOptions {
    const boots = this.running.map(({ port }) => port)
    const { port, dataDirectory } = place
    const links = this.#links?.startOptions(place.address)
    const index = this.#places.indexOf(place)
    const clockOffsetMs = this.#options.clockOffsetMs?.(index)
    const user = this.#options.users?.[index]
    return {
      ...(user !== undefined && { user }),
      ...(this.#options.program !== undefined && { program: this.#options.program }),
      port,
      dataDirectory,
      flags: this.#options.flags ?? [],
      nodeFlags: [
        ...(this.#options.nodeFlags ?? []),
        ...(links?.nodeFlags ?? []),
        ...(clockOffsetMs === undefined ? [] : ['--import', CLOCK_PRELOAD]),
      ],
      environment: {
        ...this.#options.environments?.[index],
        ...links?.environment,
        ...(clockOffsetMs !== undefined && { TEST_CLOCK_OFFSET_MS: String(clockOffsetMs) }),
      },
      ...(boots.length > 0 && { boots }),
    }
  }
}

/** Requests that one node has answered to others, by its own count. */
export async function peerRequestsOf(client: Client): Promise<number> {
  const reply = await client.send('GET', '/metrics')
  let count = 0
  for (const line of reply.body.toString().split('\n')) {
    const match = /^altered_chord_http_requests_total\{endpoint="[^"]*\/peer\/[^"]*".*\} (\d+)$/.exec(line)
    if (match !== null) count += Number(match[1])
  }
  return count
}

interface Sample {
  readonly path: string
  readonly replicas: readonly string[]
}

/** One path in each range of a settled ring, with the addresses that keep it, head first. */
function samplesOf(addresses: readonly string[]): Sample[] {
  const ring = ringOf(addresses)
  const samples = new Map<number, Sample>()
  // The smallest of a few dozen ranges is about a thousandth of a mean one.
  for (let number = 0; samples.size < ring.length && number < 1_000_000; number++) {
    const path = `settled/${number}`
    const owner = ownerIn(ring, path)
    if (!samples.has(owner)) samples.set(owner, { path, replicas: replicasFrom(ring, owner) })
  }
  return [...samples.values()]
}

/** The addresses that keep a path in a settled ring, head first. */
export function replicasOf(path: string, addresses: readonly string[]): string[] {
  const ring = ringOf(addresses)
  return replicasFrom(ring, ownerIn(ring, path))
}

type Ring = readonly { readonly identifier: Identifier; readonly address: string }[]

function ringOf(addresses: readonly string[]): Ring {
  return addresses
    .flatMap(address =>
      identifiersOfAddress(address as Address, VIRTUAL_NODES).map(identifier => ({ identifier, address })),
    )
    .sort((a, b) => (a.identifier < b.identifier ? -1 : 1))
}

/** The place in the ring of the identifier that a path belongs to. */
function ownerIn(ring: Ring, path: string): number {
  const key = identifierOfPath(path as PathName)
  return Math.max(
    0,
    ring.findIndex(({ identifier }) => identifier >= key),
  )
}

function replicasFrom(ring: Ring, owner: number): string[] {
  const following = [...ring.slice(owner), ...ring.slice(0, owner)].map(({ address }) => address)
  return [...new Set(following)].slice(0, REPLICAS)
}

async function lookedUp(client: Client, path: string): Promise<readonly string[] | undefined> {
  const reply = await client.send('GET', `/lookup/${path}`)
  return (reply.json() as { replicas?: readonly string[] }).replicas
}
