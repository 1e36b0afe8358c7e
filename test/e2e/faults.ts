/**
 * Owns a run of faults against real processes: clients that write down what they ask and what they are told, a nemesis
 * that crashes, pauses and wipes nodes meanwhile, healing, and the verdict: every history linearizable, every file the
 * same at every node.
 */
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Action, type Answer, HistoryRecorder, type Operation } from '../../src/lab/simulator/history.ts'
import { checkHistory } from '../../src/lab/simulator/linearizability.ts'
import { SeededRandom } from '../../src/lab/simulator/seeded-random.ts'
import { openClient, type Reply, urlPath } from './client.ts'
import { Cluster, type ClusterNode } from './cluster.ts'

export interface FaultsOptions {
  readonly seconds: number
  readonly seed: number
  readonly nodes?: number
  readonly clients?: number
  /** Longest pause of a SIGSTOPped node, ms. */
  readonly pauseMsMax?: number
  /** Told what happens, line by line. */
  readonly say?: (line: string) => void
}

export interface FaultsResult {
  readonly operations: number
  readonly answered: number
  readonly refused: number
  readonly unknown: number
  readonly faults: Readonly<Record<string, number>>
  /** Files compared at every node at the end. */
  readonly files: number
  /** From the end of the faults to a network that is whole again, ms. */
  readonly healMs: number
}

/** Paths that clients share; each has its own history, and few of them make many races. */
const PATHS = 24

/** Between two operations of one client, ms: the histories shall be long, not the machine hot. */
const THINK_MS = 15

/** A client gives up waiting after this time, ms; the outcome is unknown then. Shorter than a pause, so that clients go on elsewhere. */
const PATIENCE_MS = 8_000

const SMALL_BYTES = 1024
const LARGE_BYTES = 2 * 1024 * 1024

/** @throws Error that explains itself when a promise was broken. */
export async function runFaults(options: FaultsOptions): Promise<FaultsResult> {
  const say = options.say ?? (() => undefined)
  const cluster = await Cluster.start({ nodes: options.nodes ?? 5 })
  try {
    say(`${cluster.nodes.length} nodes, every range has its replicas`)
    const recorder = new HistoryRecorder({ clock: { monotonicMs: () => performance.now() } })
    const random = new SeededRandom(options.seed)
    const stop = new AbortController()
    const clients = Array.from({ length: options.clients ?? 6 }, (_, index) =>
      new FaultClient(
        `client ${index}`,
        cluster,
        recorder,
        new SeededRandom(options.seed * 1000 + index),
      ).run(stop.signal),
    )
    const faults: Record<string, number> = {}
    const asking = Promise.all(clients)
    // Awaited below; whatever ends a client early is not lost meanwhile.
    asking.catch(() => undefined)
    await annoy(cluster, random, options, faults, say).finally(() => stop.abort())
    await asking
    const healing = performance.now()
    await heal(cluster)
    const healMs = performance.now() - healing
    say(`healed after ${Math.round(healMs)} ms`)
    const operations = recorder.operations()
    assertLinearizable([...operations, ...(await finalReads(cluster, recorder, operations))])
    const files = await assertSameEverywhere(cluster)
    const count = (kind: string) => operations.filter(({ answer }) => answer.kind === kind).length
    const [refused, unknown] = [count('refused'), count('unknown')]
    const answered = operations.length - refused - unknown
    return { operations: operations.length, answered, refused, unknown, faults, files, healMs }
  } catch (error) {
    const { message } = error as Error
    throw new Error(`seed ${options.seed}: ${message}\n${cluster.output().slice(-20_000)}`, { cause: error })
  } finally {
    await cluster.close()
  }
}

/** One fault after the other, each healed before the next: never more are away at once than five nodes with k = 3 bear. */
async function annoy(
  cluster: Cluster,
  random: SeededRandom,
  options: FaultsOptions,
  faults: Record<string, number>,
  say: (line: string) => void,
): Promise<void> {
  const end = performance.now() + options.seconds * 1000
  const kinds = ['kill', 'kill', 'kill two', 'pause', 'wipe', 'kill all'] as const
  for (let round = 0; performance.now() < end; round++) {
    await delay(random.int(500, 2000))
    const kind = round < 1 ? 'kill' : random.pick(kinds)
    const [first, second] = random.shuffle(cluster.nodes.map((_, index) => index)) as [number, number]
    faults[kind] = (faults[kind] ?? 0) + 1
    say(`${kind}: node ${first}${kind === 'kill two' ? ` and ${second}` : ''}`)
    await FAULTS[kind](cluster, random, [first, second], options)
  }
}

type Fault = (
  cluster: Cluster,
  random: SeededRandom,
  nodes: readonly [number, number],
  options: FaultsOptions,
) => Promise<void>

const FAULTS: Readonly<Record<'kill' | 'kill two' | 'pause' | 'wipe' | 'kill all', Fault>> = {
  async kill(cluster, random, [node]) {
    await cluster.kill(node)
    await delay(random.int(0, 4000))
    await cluster.restart(node)
  },
  async 'kill two'(cluster, random, [first, second]) {
    await Promise.all([cluster.kill(first), cluster.kill(second)])
    await delay(random.int(0, 4000))
    await cluster.restart(second)
    await cluster.restart(first)
  },
  async pause(cluster, random, [node], { pauseMsMax = 30_000 }) {
    const { process } = cluster.node(node)
    process.pause()
    await delay(random.int(Math.min(5_000, pauseMsMax), pauseMsMax))
    process.resume()
  },
  /** The disk is lost for good, so what it held must be on the others before: the network is whole when it happens. */
  async wipe(cluster, random, [node]) {
    await cluster.replicated()
    await cluster.kill(node)
    await delay(random.int(0, 2000))
    await cluster.restartWiped(node)
    await cluster.replicated()
  },
  async 'kill all'(cluster, random) {
    const all = cluster.nodes.map((_, index) => index)
    await Promise.all(all.map(node => cluster.kill(node)))
    for (const node of random.shuffle(all)) await cluster.restart(node)
  },
}

async function heal(cluster: Cluster): Promise<void> {
  for (const [index, node] of cluster.nodes.entries()) if (!node.isRunning) await cluster.restart(index)
  await cluster.settled()
}

/** One client: asks any node, one thing after the other, and writes down what it was told. */
class FaultClient {
  readonly #name: string
  readonly #cluster: Cluster
  readonly #recorder: HistoryRecorder
  readonly #random: SeededRandom
  readonly #etags = new Map<string, string>()
  #written = 0

  constructor(name: string, cluster: Cluster, recorder: HistoryRecorder, random: SeededRandom) {
    this.#name = name
    this.#cluster = cluster
    this.#recorder = recorder
    this.#random = random
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.#ask()
      await delay(this.#random.int(0, 2 * THINK_MS))
    }
  }

  async #ask(): Promise<void> {
    const random = this.#random
    const node = random.pick(this.#cluster.nodes)
    const path = `faults/${random.int(0, PATHS - 1)}`
    const action = this.#action(path)
    const id = this.#recorder.invoked(this.#name, path, action)
    const answer = await withPatience(ask(node, path, action))
    if (answer.kind === 'ok' && answer.etag !== undefined) this.#etags.set(path, answer.etag)
    this.#recorder.answered(id, answer)
  }

  #action(path: string): Action {
    const random = this.#random
    const roll = random.int(0, 99)
    const size = random.int(0, 19) === 0 ? LARGE_BYTES : SMALL_BYTES
    const value = () => `${this.#name.replace(' ', '-')}/${++this.#written}/${size}`
    const etag = this.#etags.get(path)
    if (roll < 40) return { kind: 'get' }
    if (roll < 50) return { kind: 'exists' }
    if (roll < 65) return { kind: 'put', value: value() }
    if (roll < 80) return { kind: 'create', value: value() }
    if (roll < 90 && etag !== undefined) return { kind: 'replace', value: value(), etag }
    return { kind: 'remove' }
  }
}

async function withPatience(answer: Promise<Answer>): Promise<Answer> {
  const timer = new AbortController()
  const late = delay(PATIENCE_MS, { kind: 'unknown' } as const, { signal: timer.signal }).catch(
    () => ({ kind: 'unknown' }) as const,
  )
  try {
    return await Promise.race([answer, late])
  } finally {
    timer.abort()
  }
}

/** One action as a request, and its reply as an answer. */
async function ask({ client }: ClusterNode, path: string, action: Action): Promise<Answer> {
  const at = urlPath(path)
  try {
    switch (action.kind) {
      case 'get':
        return answerOf(await client.send('GET', `/get/${at}`), valueIn)
      case 'exists': {
        const reply = await client.send('GET', `/exists/${at}`)
        if (reply.status !== 200) return answerOf(reply)
        return { kind: reply.body.toString() === 'true' ? 'ok' : 'FILE_NOT_FOUND' }
      }
      case 'put':
        return answerOf(await client.put(path, bytesOf(action.value), { query: '?overwrite=true' }))
      case 'create':
        return answerOf(await client.put(path, bytesOf(action.value)))
      case 'replace':
        return answerOf(
          await client.put(path, bytesOf(action.value), { headers: { 'if-match': action.etag } }),
        )
      case 'remove':
        return answerOf(await client.send('DELETE', `/remove/${at}`))
    }
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === undefined) throw error
    // A connection that was refused carried nothing.
    return { kind: code === 'ECONNREFUSED' ? 'refused' : 'unknown' }
  }
}

function answerOf(reply: Reply, valueOfBody?: (body: Buffer) => string): Answer {
  if (reply.status >= 200 && reply.status < 300) {
    const etag = (reply.headers.etag ?? undefined) as string | undefined
    return { kind: 'ok', ...(etag && { etag }), ...(valueOfBody && { value: valueOfBody(reply.body) }) }
  }
  const { code } = reply.json().error as { code: string }
  if (code === 'FILE_NOT_FOUND' || code === 'FILE_EXISTS' || code === 'PRECONDITION_FAILED')
    return { kind: code }
  if (code === 'UNAVAILABLE' || code === 'OVERLOADED') return { kind: 'refused' }
  if (code === 'INDETERMINATE') return { kind: 'unknown' }
  throw new Error(`a client was told ${reply.status} ${reply.body}`)
}

/** A value as the bytes of a file: its name, then bytes that follow from it, as many as it says. */
function bytesOf(value: string): Buffer {
  const size = Number(value.split('/')[2])
  const head = Buffer.from(`${value}\n`)
  const seed = createHash('sha256').update(value).digest()
  return Buffer.concat([head, Buffer.alloc(size - head.length, seed)], size)
}

/** The value that bytes stand for. Bytes that were mixed up or cut off stand for none. */
function valueIn(body: Buffer): string {
  const value = body.subarray(0, Math.max(0, body.indexOf('\n'))).toString()
  return /^[^/]+\/\d+\/\d+$/.test(value) && bytesOf(value).equals(body)
    ? value
    : `damaged bytes: ${body.length}`
}

/** Every path read at every node once all is well, as part of the history. */
async function finalReads(
  cluster: Cluster,
  recorder: HistoryRecorder,
  before: readonly Operation[],
): Promise<Operation[]> {
  for (const path of new Set(before.map(({ path }) => path))) {
    for (const node of cluster.nodes) {
      const id = recorder.invoked(`reader at ${node.name}`, path, { kind: 'get' })
      recorder.answered(id, await ask(node, path, { kind: 'get' }))
    }
  }
  const reads = recorder.operations().slice(before.length)
  const failed = reads.find(({ answer }) => answer.kind === 'refused' || answer.kind === 'unknown')
  if (failed !== undefined) throw new Error(`after healing, ${failed.client} could not read ${failed.path}`)
  return reads
}

function assertLinearizable(operations: readonly Operation[]): void {
  const result = checkHistory(operations)
  if (!result.ok) throw new Error(`${result.verdict}:\n${result.explanation}`)
}

/** Every node lists the same files, and gives out the bytes of each with the hash that the list's ETag ends with. */
async function assertSameEverywhere(cluster: Cluster): Promise<number> {
  const client = openClient((cluster.nodes[0] as ClusterNode).process.url)
  try {
    const files = (await client.list()).filter(({ path }) => !path.startsWith('settled/'))
    for (const node of cluster.nodes) {
      const listed = (await node.client.list()).filter(({ path }) => !path.startsWith('settled/'))
      if (JSON.stringify(listed) !== JSON.stringify(files)) throw new Error(`${node.name} lists other files`)
    }
    for (const { path, size, etag } of files) {
      const seen = await Promise.all(cluster.nodes.map(node => node.client.digest(path)))
      for (const digest of seen) {
        const same = digest.status === 200 && digest.size === size && digest.etag === etag
        if (!same || digest.sha256 !== seen[0]?.sha256) throw new Error(`${path}: ${JSON.stringify(seen)}`)
      }
    }
    return files.length
  } finally {
    await client.close()
  }
}
