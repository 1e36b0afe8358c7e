/**
 * A run of faults against real processes: clients that write down what they ask and what they are told, a nemesis
 * that crashes, pauses, cuts off and wipes nodes meanwhile, healing, and the verdict: every history linearizable, every
 * file the same at every node.
 */
import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { HistoryRecorder, type Operation } from '../../src/lab/simulator/history.ts'
import { formatHistory } from '../../src/lab/simulator/history-file.ts'
import { checkHistory } from '../../src/lab/simulator/linearizability.ts'
import { SeededRandom } from '../../src/lab/simulator/seeded-random.ts'
import { INLINE_BYTES_MAX } from '../../src/storage/record.ts'
import type { Porcupine } from '../porcupine/porcupine.ts'
import { Cluster, type ClusterNode } from './cluster.ts'
import { type Availability, AvailabilityWatch } from './faults-availability.ts'
import { FaultClient, type FaultClientInit } from './faults-client.ts'
import { ForcedRanges } from './faults-eras.ts'
import { FaultLister } from './faults-lister.ts'
import { FaultMover } from './faults-mover.ts'
import {
  describeFault,
  FAULT_KINDS,
  type FaultKind,
  OVERLAPPING_KINDS,
  planOf,
  suffer,
  type Target,
} from './faults-nemesis.ts'
import { FaultTrasher } from './faults-trasher.ts'
import { SmallDisk } from './small-disk.ts'

export interface FaultsOptions {
  readonly seconds: number
  readonly seed: number
  readonly nodes?: number
  readonly clients?: number
  /** Bytes of the few large files. */
  readonly largeBytes?: number
  /** No fault lasts longer, ms. */
  readonly lastsMsMax?: number
  /** What happens; by default everything that this machine allows. */
  readonly kinds?: readonly FaultKind[]
  /** Two sequences of faults at once, of the kinds that may overlap; each leaves the node of the other alone. */
  readonly overlap?: boolean
  /** The wall clock of each node is wrong by up to so many hours, differently after each start; 0: all are right. */
  readonly clockHours?: number
  /** Told what happens, line by line. */
  readonly say?: (line: string) => void
  /** Where the history is written before it is judged. */
  readonly historyFile?: string
  /** Where every try of those who watch how long nothing is served is written, one a line. */
  readonly triesFile?: string
  /** Judges the history, too. */
  readonly porcupine?: Porcupine
}

export interface FaultsResult {
  readonly operations: number
  readonly answered: number
  readonly refused: number
  readonly unknown: number
  /** What clients were told by the nodes, by code. */
  readonly told: Readonly<Record<string, number>>
  /** How often each fault was done, and how often it was seen to act. */
  readonly faults: Readonly<Record<string, { readonly times: number; readonly seen: number }>>
  /** Files compared at every node at the end. */
  readonly files: number
  readonly bytes: number
  /** From the end of the faults to a network that is whole again, ms. */
  readonly healMs: number
  /** While the faults went on. */
  readonly availability: Availability
}

/** Paths that clients share; each has its own history, and few of them make many races. */
const PATHS = Array.from({ length: 24 }, (_, number) => `faults/${number}`)

const LARGE_PATHS = ['faults/large/0', 'faults/large/1']

const SMALL_BYTES = 1024

/** Of one body in twenty, so that blobs take part in every race. */
const MIDDLE_BYTES = 256 * 1024

const MANY = {
  paths: PATHS,
  sizes: [...Array<number>(19).fill(SMALL_BYTES), MIDDLE_BYTES],
  thinkMs: 15,
  patienceMs: 8_000,
}

/** Whose availability is watched: some paths, most of them in ranges of their own. */
const WATCHED_PATHS = Array.from({ length: 6 }, (_, number) => `settled/watched/${number}`)

/** @throws Error that explains itself when a promise was broken. */
export async function runFaults(options: FaultsOptions): Promise<FaultsResult> {
  const say = options.say ?? (() => undefined)
  const largeBytes = options.largeBytes ?? 8 * 1024 * 1024
  const small = await mountSmallDisk(options, largeBytes)
  let cluster: Cluster | undefined
  try {
    const dataDirectories = small === undefined ? {} : { [small.node]: `${small.disk.folder}/data` }
    cluster = await Cluster.start({
      nodes: options.nodes ?? 5,
      linked: true,
      dataDirectories,
      clockOffsetMs: clockOffsets(options),
    })
    say(`${cluster.nodes.length} nodes, every range has its replicas`)
    return await run(cluster, small, { ...options, largeBytes }, say)
  } catch (error) {
    const { message } = error as Error
    const output = cluster?.output().slice(-20_000) ?? ''
    throw new Error(`seed ${options.seed}: ${message}\n${output}`, { cause: error })
  } finally {
    await cluster?.close()
    await small?.disk.unmount()
  }
}

function clockOffsets({ seed, clockHours = 0 }: FaultsOptions): () => number {
  const random = new SeededRandom(seed).fork('clocks')
  return () => Math.round(random.between(-clockHours, clockHours) * 3_600_000)
}

/** The disk of the last node, with room for all that the run stores, as long as it is not filled. */
async function mountSmallDisk({ nodes = 5, kinds, seed }: FaultsOptions, largeBytes: number) {
  // Half of the runs have large files in the trash instead, which a full disk gives up.
  const isDrawn = kinds?.length === 1 || new SeededRandom(seed).fork('disk').int(0, 1) === 1
  if (!isDrawn) return undefined
  if (kinds?.includes('full disk') === false || (await SmallDisk.refusal()) !== false) return undefined
  const disk = await SmallDisk.mount(64 * 1024 * 1024 + 6 * largeBytes)
  return { node: nodes - 1, disk }
}

async function run(
  cluster: Cluster,
  small: Target['small'],
  options: FaultsOptions & { readonly largeBytes: number },
  say: (line: string) => void,
): Promise<FaultsResult> {
  const recorder = new HistoryRecorder({ clock: { monotonicMs: () => performance.now() } })
  const forced = new ForcedRanges(() => performance.now())
  const clients = makeClients(cluster, recorder, forced, options)
  const toldOf = (code: string) => clients.reduce((sum, { told }) => sum + (told.get(code) ?? 0), 0)
  const faults: Record<string, { times: number; seen: number }> = {}
  const stop = new AbortController()
  const lister = makeLister(cluster, recorder, forced, options.seed)
  const mover = makeMover(cluster, recorder, forced, options.seed)
  const trasher = makeTrasher(cluster, recorder, forced, options.seed, small !== undefined)
  const watch = new AvailabilityWatch(cluster, { paths: WATCHED_PATHS, everyMs: 200, patienceMs: 4_000 })
  const asking = Promise.all(
    [...clients, lister, mover, trasher, watch].map(client => client.run(stop.signal)),
  )
  // Awaited below; whatever ends a client early is not lost meanwhile.
  asking.catch(() => undefined)
  const target = { cluster, small, forced }
  await annoy(target, watch, options, faults, say).finally(() => {
    watch.end()
    stop.abort()
  })
  await asking
  say(`${lister.lists} whole lists, no file twice; ${mover.done} moves and copies`)
  say(`${trasher.lists} lists of the trash, ${trasher.restored} restorations from it`)
  const availability = watch.report()
  say(`availability ${JSON.stringify(availability)}`)
  if (options.triesFile !== undefined) writeTries(options.triesFile, watch)
  const healing = performance.now()
  await heal(cluster)
  const healMs = Math.round(performance.now() - healing)
  say(`healed after ${healMs} ms`)
  const operations = recorder.operations()
  const reader = makeReader(cluster, recorder, forced, options.seed)
  await trasher.readAll()
  const reads = await finalReads(cluster, reader, recorder, operations, path => !trasher.owns(path))
  const all = forced.judged([...operations, ...reads])
  if (options.historyFile !== undefined)
    writeFileSync(options.historyFile, formatHistory(`seed ${options.seed}`, all))
  assertLinearizable(all)
  say('every history is linearizable')
  if (options.porcupine !== undefined) {
    await assertPorcupineAgrees(options.porcupine, all)
    say('porcupine finds the same')
  }
  const same = await assertSameEverywhere(cluster)
  const count = (kind: string) => operations.filter(({ answer }) => answer.kind === kind).length
  const [refused, unknown] = [count('refused'), count('unknown')]
  const answered = operations.length - refused - unknown
  const codes = new Set(clients.flatMap(({ told }) => [...told.keys()]))
  const told = Object.fromEntries([...codes].sort().map(code => [code, toldOf(code)]))
  return {
    operations: operations.length,
    answered,
    refused,
    unknown,
    told,
    faults,
    ...same,
    healMs,
    availability,
  }
}

function makeClients(
  cluster: Cluster,
  recorder: HistoryRecorder,
  forced: ForcedRanges,
  options: FaultsOptions & { readonly largeBytes: number },
): FaultClient[] {
  const make = (index: number, init: FaultClientInit) => {
    const random = new SeededRandom(options.seed * 1000 + index)
    return new FaultClient({ nodes: cluster.nodes, recorder, random, forced }, init)
  }
  const count = options.clients ?? 6
  const many = Array.from({ length: count }, (_, index) => make(index, { name: `client ${index}`, ...MANY }))
  const large = {
    name: 'large client',
    paths: LARGE_PATHS,
    sizes: [options.largeBytes],
    thinkMs: 5_000,
    patienceMs: 60_000,
  }
  return [...many, make(count, large)]
}

function makeLister(
  cluster: Cluster,
  recorder: HistoryRecorder,
  forced: ForcedRanges,
  seed: number,
): FaultLister {
  const random = new SeededRandom(seed).fork('lister')
  const components = { nodes: cluster.nodes, recorder, random, forced }
  return new FaultLister(components, { paths: PATHS, thinkMs: 1_000, patienceMs: 30_000 })
}

function makeMover(
  { nodes }: Cluster,
  recorder: HistoryRecorder,
  forced: ForcedRanges,
  seed: number,
): FaultMover {
  const random = new SeededRandom(seed).fork('mover')
  return new FaultMover(
    { nodes, recorder, random, forced },
    { paths: PATHS, thinkMs: 400, patienceMs: 8_000 },
  )
}

function makeTrasher(
  { nodes }: Cluster,
  recorder: HistoryRecorder,
  forced: ForcedRanges,
  seed: number,
  hasSmallDisk: boolean,
): FaultTrasher {
  const random = new SeededRandom(seed).fork('trasher')
  const middleBytes = hasSmallDisk ? INLINE_BYTES_MAX : MIDDLE_BYTES
  return new FaultTrasher(
    { nodes, recorder, random, forced },
    { thinkMs: 300, patienceMs: 8_000, middleBytes },
  )
}

function makeReader(
  cluster: Cluster,
  recorder: HistoryRecorder,
  forced: ForcedRanges,
  seed: number,
): FaultClient {
  const random = new SeededRandom(seed)
  return new FaultClient(
    { nodes: cluster.nodes, recorder, random, forced },
    { ...MANY, name: 'reader', patienceMs: 120_000 },
  )
}

async function annoy(
  target: Target,
  watch: AvailabilityWatch,
  options: FaultsOptions,
  faults: Record<string, { times: number; seen: number }>,
  say: (line: string) => void,
): Promise<void> {
  const end = performance.now() + options.seconds * 1000
  const kinds = (options.kinds ?? (options.overlap ? OVERLAPPING_KINDS : FAULT_KINDS)).filter(
    kind => kind !== 'full disk' || target.small !== undefined,
  )
  const nodes = target.cluster.nodes.length
  const { lastsMsMax = 30_000 } = options
  const taken = new Set<number>()
  const sequence = async (lane: number): Promise<void> => {
    const random = new SeededRandom(options.seed + lane)
    for (const fault of planOf(random, { kinds, nodes, lastsMsMax })) {
      if (performance.now() + fault.afterMs > end) return
      await delay(fault.afterMs)
      const free = { ...fault, nodes: fault.nodes.filter(node => !taken.has(node)) }
      const [node = 0] = free.nodes
      say(describeFault(free))
      watch.excuse(fault.kind === 'force')
      taken.add(node)
      const seen = await suffer(target, free)
      taken.delete(node)
      watch.excuse(false)
      const counted = faults[fault.kind] ?? { times: 0, seen: 0 }
      faults[fault.kind] = { times: counted.times + 1, seen: counted.seen + (seen ? 1 : 0) }
    }
  }
  await Promise.all(options.overlap ? [sequence(0), sequence(1)] : [sequence(0)])
}

/** On the monotonic clock of the system, ms, which all processes of a machine share. */
function writeTries(file: string, { tries: { tries, judged } }: AvailabilityWatch): void {
  const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  const lines = [...judged.map(one => ({ judged: true, ...one })), ...tries].map(one => ({
    ...one,
    fromMs: Math.round(one.fromMs + offsetMs),
    toMs: Math.round(one.toMs + offsetMs),
  }))
  writeFileSync(file, lines.map(line => `${JSON.stringify(line)}\n`).join(''))
}

async function heal(cluster: Cluster): Promise<void> {
  for (const [index, node] of cluster.nodes.entries()) if (!node.isRunning) await cluster.restart(index)
  await cluster.settled()
}

/** Every path read at every node once all is well, as part of the history. */
async function finalReads(
  cluster: Cluster,
  reader: FaultClient,
  recorder: HistoryRecorder,
  before: readonly Operation[],
  isRead: (path: string) => boolean,
): Promise<Operation[]> {
  for (const path of new Set(before.map(({ path }) => path).filter(isRead))) {
    for (const node of cluster.nodes) {
      const id = recorder.invoked(`reader at ${node.name}`, path, { kind: 'get' })
      recorder.answered(id, await reader.ask(node.address, path, { kind: 'get' }))
    }
  }
  const reads = recorder.operations().slice(before.length)
  const failed = reads.find(
    ({ client, answer }) =>
      client.startsWith('reader') && (answer.kind === 'refused' || answer.kind === 'unknown'),
  )
  if (failed !== undefined) throw new Error(`after healing, ${failed.client} could not read ${failed.path}`)
  return reads
}

function assertLinearizable(operations: readonly Operation[]): void {
  const result = checkHistory(operations)
  if (!result.ok) throw new Error(`${result.verdict}:\n${result.explanation}`)
}

async function assertPorcupineAgrees(porcupine: Porcupine, operations: readonly Operation[]): Promise<void> {
  const opinion = (await porcupine.judge(new Map([['run', operations]]))).get('run')
  if (opinion?.verdict !== 'linearizable') throw new Error(`porcupine: ${JSON.stringify(opinion)}`)
}

/** Every node lists the same files, and gives out the bytes of each with the hash that the others have. */
async function assertSameEverywhere(cluster: Cluster): Promise<{ files: number; bytes: number }> {
  const listed = async (node: ClusterNode) =>
    (await node.client.list()).filter(({ path }) => !path.startsWith('settled/'))
  const files = await listed(cluster.node(0))
  for (const node of cluster.nodes) {
    if (JSON.stringify(await listed(node)) !== JSON.stringify(files))
      throw new Error(`${node.name} lists other files`)
  }
  for (const { path, size, etag } of files) {
    const seen = await Promise.all(cluster.nodes.map(node => node.client.digest(path)))
    for (const digest of seen) {
      const same = digest.status === 200 && digest.size === size && digest.etag === etag
      if (!same || digest.sha256 !== seen[0]?.sha256) throw new Error(`${path}: ${JSON.stringify(seen)}`)
    }
  }
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) }
}
