/**
 * A network of real processes on this machine for an experiment: nodes on free ports, started a few at a time, until
 * the ring is whole; what they have learned and how much memory they take; and their end, whatever happens.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { StoreClient } from '../../client/client.ts'
import type { LookupAnswer } from '../../client/wire-types.ts'
import type { Env } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { LearningMode } from '../../routing/learning.ts'
import { Caretaker } from './caretaker.ts'

export interface RealNetworkInit {
  readonly nodes: number
  readonly learn: LearningMode
  readonly virtualNodes: number
  readonly replicas: number
  /** How files are kept; chain unless said. */
  readonly consistency?: 'chain' | 'eventual'
  /** Where the nodes keep files: as usual on a disk, or in memory only. */
  readonly keep: 'disk' | 'memory'
  readonly signal: AbortSignal
  /** Called for each node that answers. */
  readonly started?: () => void
}

interface RealNode {
  readonly url: string
  readonly client: StoreClient
  readonly child: ChildProcess
  readonly ended: Promise<void>
  hasEnded: boolean
  /** The last of what it printed. */
  output: string
}

const START_FILE = fileURLToPath(new URL('../../../start.js', import.meta.url))

/** Processes that start at once: each compiles the program, which takes a second of one processor. */
const STARTING_MAX = 4

/** Until all nodes answer, and until the ring is whole, ms. Generous: the machine may be doing other things. */
const START_TIMEOUT_MS = 600_000

/** Between two looks at what is waited for, ms. */
const LOOK_MS = 200

/** Until a node that was told to end is killed, ms. */
const END_TIMEOUT_MS = 15_000

/** Characters kept of what a node printed. */
const OUTPUT_MAX = 4_000

/** Below the range from which most kernels take the ports of outgoing connections. */
const PORTS = { first: 15_000, count: 17_000 }
const PORT_TRIES_MAX = 1_000

export class RealNetwork {
  readonly #env: Env
  readonly #init: RealNetworkInit
  readonly #nodes: RealNode[] = []
  /** Ends of the ranges that have served. */
  readonly #served = new Set<string>()
  readonly #caretaker = new Caretaker()
  #folder: string | undefined
  #closing: Promise<void> | undefined
  /** The last resort, when this process is ended without a chance to wait. */
  readonly #killAll = () => {
    for (const { child, hasEnded } of this.#nodes) if (!hasEnded) child.kill('SIGKILL')
  }

  private constructor(env: Env, init: RealNetworkInit) {
    this.#env = env
    this.#init = init
    process.once('exit', this.#killAll)
  }

  /**
   * Starts all nodes, and resolves when every range of the ring has its replicas. Close it.
   * @throws StoreError UNAVAILABLE when a node ends, or the ring does not become whole; or the reason of the signal.
   */
  static async start({ env }: { readonly env: Env }, init: RealNetworkInit): Promise<RealNetwork> {
    const network = new RealNetwork(env, init)
    try {
      await network.#start()
      return network
    } catch (error) {
      await network.close()
      throw error
    }
  }

  /** `http://127.0.0.1:PORT` of each node, in the order of their starts. */
  get urls(): readonly string[] {
    return this.#nodes.map(({ url }) => url)
  }

  get pids(): readonly number[] {
    return this.#nodes.flatMap(({ child }) => child.pid ?? [])
  }

  /** Asks that node alone, and once. */
  client(node: number): StoreClient {
    return this.#node(node).client
  }

  /** Who answers for a path, as found by one of the nodes. */
  lookup(node: number, path: string): Promise<LookupAnswer> {
    return this.#node(node).client.lookup(path, { signal: this.#init.signal })
  }

  /** How many other nodes each node knows to be alive. Reading it teaches nobody. */
  async mapSizes(): Promise<number[]> {
    const { signal } = this.#init
    return Promise.all(
      this.#nodes.map(async ({ client }) => {
        const { nodes } = await client.network({ signal })
        return nodes.filter(({ status, self }) => status === 'alive' && !self).length
      }),
    )
  }

  /**
   * Anonymous resident memory of each node, bytes: what it holds itself, without mapped files.
   * @throws StoreError UNAVAILABLE where the system does not tell; Linux does.
   */
  residentBytes(): Promise<number[]> {
    return Promise.all(this.pids.map(residentBytesOf))
  }

  /** Ends every node by its process id; resolves when all are gone. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const force = this.#env.timers.after(END_TIMEOUT_MS, this.#killAll)
    for (const { child, hasEnded } of this.#nodes) if (!hasEnded) child.kill('SIGTERM')
    await Promise.all(this.#nodes.map(({ ended }) => ended))
    force.cancel()
    process.off('exit', this.#killAll)
    await Promise.all(this.#nodes.map(({ client }) => client.close()))
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true })
    await this.#caretaker.close()
  }

  async #start(): Promise<void> {
    const { nodes, keep, started } = this.#init
    if (keep === 'disk') {
      this.#folder = await mkdtemp(join(tmpdir(), 'altered-chord-experiment-'))
      this.#caretaker.keeps(this.#folder)
    }
    const ports = new Set<number>()
    let boot: number | undefined
    const startOne = async () => {
      this.#init.signal.throwIfAborted()
      // Chosen at the last moment: other programs look for ports, too, and the last node starts minutes after the first.
      const port = await freePort(this.#env, ports)
      boot ??= port
      const node = this.#launch(port, boot)
      this.#nodes.push(node)
      await this.#until(
        () => answers(node),
        () => `the node at ${node.url} does not answer:\n${node.output}`,
      )
      started?.()
    }
    // The first one founds the network.
    await startOne()
    let left = nodes - 1
    const starter = async () => {
      while (left-- > 0) await startOne()
    }
    const ends = await Promise.allSettled(Array.from({ length: STARTING_MAX }, starter))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    await this.#until(
      () => this.#isWhole(),
      () => 'the ring does not become whole',
    )
  }

  /**
   * Every range has served with all the replicas that it can have: on a machine that is busy, some node may be taken for
   * lost at any time, and its ranges change hands again. The first node knows all: they joined through it.
   */
  async #isWhole(): Promise<boolean> {
    const { nodes, virtualNodes, replicas, signal } = this.#init
    const { ranges } = await this.#node(0).client.overlay({ signal })
    const copies = Math.min(nodes, replicas)
    for (const { hi, state, replicas } of ranges)
      if (state === 'serving' && replicas.length === copies) this.#served.add(hi)
    return ranges.length >= nodes * virtualNodes && ranges.every(({ hi }) => this.#served.has(hi))
  }

  async #until(condition: () => Promise<boolean>, fault: () => string): Promise<void> {
    const { clock, timers } = this.#env
    const { signal } = this.#init
    const untilMs = clock.monotonicMs() + START_TIMEOUT_MS
    while (!(await condition())) {
      const gone = this.#nodes.find(({ hasEnded }) => hasEnded)
      if (gone !== undefined)
        throw new StoreError('UNAVAILABLE', `The node at ${gone.url} has ended:\n${gone.output}`)
      if (clock.monotonicMs() > untilMs) throw new StoreError('UNAVAILABLE', `Waited in vain: ${fault()}.`)
      await timers.sleep(LOOK_MS, signal)
    }
  }

  #launch(port: number, boot: number): RealNode {
    const { learn, virtualNodes, replicas, keep, consistency = 'chain' } = this.#init
    const place = keep === 'memory' ? ['--memory'] : ['--data', join(this.#folder as string, String(port))]
    const flags = {
      '-p': port,
      '-b': boot,
      '--virtual-nodes': virtualNodes,
      '-k': replicas,
      ...(consistency === 'chain'
        ? { '--min-replicas': Math.min(2, replicas) }
        : { '--consistency': consistency }),
      '--learn': learn,
      '--log-level': 'error',
    }
    const words = [...Object.entries(flags).flatMap(([flag, value]) => [flag, String(value)]), ...place]
    const child = spawn(process.execPath, [START_FILE, ...words], {
      env: environmentOfNodes(process.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (child.pid !== undefined) this.#caretaker.started(child.pid)
    const url = `http://127.0.0.1:${port}`
    const node: RealNode = {
      url,
      client: new StoreClient({ node: url, direct: false, attemptsMax: 1 }, { env: this.#env }),
      child,
      ended: new Promise(resolve => {
        const end = (word: string) => {
          node.hasEnded = true
          if (child.pid !== undefined) this.#caretaker.ended(child.pid)
          node.output += word
          resolve()
        }
        child.once('error', error => end(error.message)).once('close', () => end(''))
      }),
      hasEnded: false,
      output: '',
    }
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        node.output = (node.output + text).slice(-OUTPUT_MAX)
      })
    }
    return node
  }

  #node(index: number): RealNode {
    const node = this.#nodes[index]
    if (node === undefined) throw new TypeError(`there is no node ${index}`)
    return node
  }
}

/** A node that still waits for its network answers to little, and closes that endpoint before it opens the others. */
async function answers({ client }: RealNode): Promise<boolean> {
  try {
    await client.network()
    return true
  } catch (error) {
    if (errorCode(error) === undefined) throw error
    return false
  }
}

/** Settings meant for another node are not for these. */
function environmentOfNodes(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(
    ([name]) => !/^(ALTERED_CHORD_|NODE_OPTIONS$|PORT$|PEERS$|SELF_URL$)/.test(name),
  )
  return Object.fromEntries(kept)
}

async function residentBytesOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]
  if (kibibytes === undefined)
    throw new StoreError('UNAVAILABLE', 'This system does not tell the memory of a process in /proc.')
  return Number(kibibytes) * 1024
}

/** A port that nobody listens on now and that is not among those `taken`, to which it is added. */
async function freePort({ randomness }: Env, taken: Set<number>): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const draw = Buffer.from(randomness.bytes(2)).readUInt16LE()
    const port = PORTS.first + (draw % PORTS.count)
    if (taken.has(port)) continue
    taken.add(port)
    if (await isFree(port)) return port
  }
  throw new StoreError('UNAVAILABLE', 'No free port was found.')
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)))
  })
}
