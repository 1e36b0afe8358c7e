/**
 * Ours beside what else does the work: floors of this runtime, nginx, dufs, SeaweedFS and Garage, each where it is
 * installed. All that do the same work take turns in every round.
 *
 * They do not promise the same when they answer (peers.md in the folder above).
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuSecondsOf } from '../cpu-time.ts'
import { runRequestLoad } from '../loads/request-load.ts'
import { runSocketLoad } from '../loads/socket-load.ts'
import { runStreamLoad } from '../loads/stream-load.ts'
import { versionOf } from '../machine.ts'
import { openDufs } from '../servers/dufs.ts'
import { openChainFloor, openOneNodeFloor } from '../servers/floors.ts'
import { openGarage } from '../servers/garage.ts'
import { openNginx } from '../servers/nginx.ts'
import { asServer, openOurNetwork } from '../servers/our-network.ts'
import { openOurNode } from '../servers/our-node.ts'
import { openSeaweedFs } from '../servers/seaweedfs.ts'
import type { Server } from '../servers/server.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import type { Benchmark, Row, Settings } from './benchmark.ts'
import { perSecond, type Round, rateText } from './turns.ts'

/** How much is measured: five rounds of two seconds, or a second each to see that it works. */
interface Scale {
  readonly rounds: number
  readonly durationMs: number
  readonly largeBytes: number
}

function scaleOf({ quick }: Settings): Scale {
  return quick
    ? { rounds: 1, durationMs: 1000, largeBytes: 8 * 2 ** 20 }
    : { rounds: 5, durationMs: 2000, largeBytes: 512 * 2 ** 20 }
}

/** A goal for ours beside one other: how much more processor time, how much of its rate. */
interface Goal {
  readonly beside: string
  readonly cpuAtMost?: number
  readonly rateAtLeast?: number
}

/** The most signed URLs that a round is given, for each second of it: more than its server answers. */
const SIGNED_PER_SECOND = 3000

export const peersOnOneNode: Benchmark = {
  name: 'peers-1',
  run: settings =>
    withAll(settings, 'peers-1', oneNode, async (ours, others) => [
      ...(await getRows(settings, ours, others)),
      ...(await putRows(settings, ours, others, {
        what: 'put 4 KiB, one node',
        connections: 64,
        goals: [{ beside: 'floor: fastify', cpuAtMost: 2 }],
      })),
      ...(await largeRows(settings, ours, others, {
        what: 'k = 1',
        in: [{ beside: 'SeaweedFS', rateAtLeast: 1.5 }],
        out: [
          { beside: 'nginx', rateAtLeast: 0.5 },
          { beside: 'SeaweedFS', rateAtLeast: 1.5 },
        ],
      })),
    ]),
}

export const peersOnThreeNodes: Benchmark = {
  name: 'peers-3',
  run: settings =>
    withAll(settings, 'peers-3', severalNodes(3), async (ours, others) => {
      const rows: Row[] = []
      for (const connections of [1, 64, 192]) {
        const floorGoal =
          connections === 1
            ? { beside: 'floor:', rateAtLeast: 0.5 }
            : connections === 64
              ? { beside: 'floor:', cpuAtMost: 2.5 }
              : undefined
        rows.push(
          ...(await putRows(settings, ours, others, {
            ...{ what: 'put 4 KiB, k = 3, 3 nodes', connections },
            goals: [...(floorGoal ? [floorGoal] : []), { beside: 'SeaweedFS', rateAtLeast: 1 }],
          })),
        )
      }
      const goals = { in: [{ beside: 'SeaweedFS', rateAtLeast: 1.5 }], out: [] }
      const large = await largeRows(settings, ours, others, { what: 'k = 3, 3 nodes', ...goals })
      return [...rows, ...large]
    }),
}

export const peersOnFiveNodes: Benchmark = {
  name: 'peers-5',
  run: settings =>
    withAll(settings, 'peers-5', severalNodes(5), (ours, others) =>
      putRows(settings, ours, others, {
        what: 'put 4 KiB, k = 3, 5 nodes',
        connections: 64,
        goals: [{ beside: 'SeaweedFS', rateAtLeast: 1 }],
      }),
    ),
}

/** The programs that stand beside ours, with their versions, as lines of Markdown; nginx is told with the machine. */
export function describePeers(): Promise<string[]> {
  const programs = new Map(oneNode.others.flatMap(({ program }) => (program === undefined ? [] : [program])))
  programs.delete('nginx')
  return Promise.all(
    [...programs].map(
      async ([command, flag]) =>
        `${command}: ${(await versionOf(command, flag)) ?? 'not installed, left out'}`,
    ),
  )
}

export const peerBenchmarks: readonly Benchmark[] = [peersOnOneNode, peersOnThreeNodes, peersOnFiveNodes]

type Opener = (directory: string) => Promise<Server[]>

/** The programs that can stand beside ours: how each is found, and what starts it. */
interface Contender {
  readonly name: string
  /** Program and flag that says its version; none for what is part of this folder. */
  readonly program?: readonly [command: string, flag: string]
  readonly open: Opener
}

interface Field {
  readonly ours: (directory: string) => Promise<Server>
  readonly others: readonly Contender[]
}

const oneNode: Field = {
  ours: openOurNode,
  others: [
    { name: 'node:http', open: async directory => [await openOneNodeFloor('http', directory)] },
    { name: 'fastify', open: async directory => [await openOneNodeFloor('fastify', directory)] },
    { name: 'nginx', program: ['nginx', '-v'], open: async directory => [await openNginx(directory)] },
    { name: 'dufs', program: ['dufs', '--version'], open: async directory => [await openDufs(directory)] },
    ...distributed(1),
  ],
}

function severalNodes(nodes: number): Field {
  return {
    ours: async () => {
      const cluster = await openOurNetwork(nodes)
      return asServer(cluster, cluster.node(0))
    },
    others: [
      { name: 'chain', open: async directory => [await openChainFloor(3, directory)] },
      ...distributed(nodes),
    ],
  }
}

function distributed(nodes: number): Contender[] {
  return [
    {
      ...{ name: 'SeaweedFS', program: ['weed', 'version'] as const },
      open: directory => openSeaweedFs(nodes, directory),
    },
    ...[false, true].map(isSynced => ({
      ...{ name: isSynced ? 'Garage, fsync' : 'Garage', program: ['garage', '--version'] as const },
      open: async (directory: string) => [await openGarage({ nodes, isSynced }, directory)],
    })),
  ]
}

async function withAll(
  settings: Settings,
  name: string,
  field: Field,
  during: (ours: Server, others: readonly Server[]) => Promise<Row[]>,
): Promise<Row[]> {
  const directory = join(settings.directory, name)
  await mkdir(directory)
  const started: Server[] = []
  try {
    const ours = await field.ours(join(directory, 'ours'))
    started.push(ours)
    for (const [index, { name, program, open }] of field.others.entries()) {
      if (program !== undefined && (await versionOf(...program)) === undefined) {
        settings.progress(`${name} is not installed (no ${program[0]}): left out`)
        continue
      }
      started.push(...(await open(join(directory, String(index)))))
    }
    return await during(ours, started.slice(1))
  } finally {
    for (const server of started.toReversed()) await server.stop()
  }
}

async function getRows(settings: Settings, ours: Server, others: readonly Server[]): Promise<Row[]> {
  const path = 'bench/get/1024'
  for (const server of [ours, ...others])
    await runSocketLoad({
      ...{ port: server.port, method: 'PUT', target: server.putTarget(path), connections: 1 },
      ...{ count: 1, bodyBytes: 1024 },
    })
  const what = 'get 1 KiB, one node, 64 connections'
  const measured = await interleaved(settings, what, [ours, ...others], (server, durationMs) =>
    runRequestLoad({
      ...{ port: server.port, method: 'GET', target: server.getTarget(path) },
      ...{ connections: 64, durationMs },
    }),
  )
  const goals = [
    { beside: 'floor: fastify', cpuAtMost: 1.2 },
    { beside: 'SeaweedFS', rateAtLeast: 2 },
  ]
  return rowsOf(what, measured, goals)
}

interface PutWork {
  readonly what: string
  readonly connections: number
  readonly goals: readonly Goal[]
}

async function putRows(
  settings: Settings,
  ours: Server,
  others: readonly Server[],
  work: PutWork,
): Promise<Row[]> {
  const { connections } = work
  const what = `${work.what}, ${connections === 1 ? 'one at a time' : `${connections} connections`}`
  let run = 0
  const measured = await interleaved(settings, what, [ours, ...others], (server, durationMs) => {
    const prefix = `bench/put-${connections}-${++run}`
    const count = Math.ceil((SIGNED_PER_SECOND * durationMs) / 1000)
    const targets = server.signedTargets?.(prefix, count)
    return runRequestLoad({
      ...{ port: server.port, method: 'PUT', uniquePaths: true, connections, bodyBytes: 4096, durationMs },
      target: targets === undefined ? server.putTarget(prefix) : '/',
      ...(targets !== undefined && { targets }),
      ...(server.putQuery !== undefined && { query: server.putQuery }),
    })
  })
  return rowsOf(what, measured, work.goals)
}

interface Contest {
  readonly server: Server
  readonly rounds: readonly Round[]
}

/** A short run of each to warm up, then all in turns. */
async function interleaved(
  settings: Settings,
  what: string,
  servers: readonly Server[],
  load: (server: Server, durationMs: number) => Promise<Omit<Round, 'cpuUs'>>,
): Promise<Contest[]> {
  const { rounds, durationMs } = scaleOf(settings)
  for (const server of servers) await load(server, durationMs)
  const contests = servers.map(server => ({ server, rounds: [] as Round[] }))
  for (let round = 1; round <= rounds; round++) {
    for (const { server, rounds } of contests) {
      const before = await cpuSecondsOf(server.pids)
      const result = await load(server, durationMs)
      rounds.push({
        ...result,
        cpuUs: (((await cpuSecondsOf(server.pids)) - before) * 1e6) / result.requests,
      })
    }
    settings.progress(`${what}: round ${round}`)
  }
  return contests
}

function rowsOf(what: string, [ours, ...others]: readonly Contest[], goals: readonly Goal[]): Row[] {
  if (ours === undefined) return []
  return others.map(({ server, rounds }) => {
    const rate = spreadOf(ratiosOf(perSecond(ours.rounds), perSecond(rounds)))
    const cpu = spreadOf(ratiosOf(ours.rounds.map(cpuOf), rounds.map(cpuOf)))
    return {
      ...{ what: `${what}, beside ${server.name}`, ours: rateText(ours.rounds), baseline: rateText(rounds) },
      ratio: `rate ${rangeText(rate)}${cpuText(cpu)}`,
      ...judged(server, goals, rate.median, cpu.median),
    }
  })
}

function cpuOf({ cpuUs }: Round): number {
  return cpuUs
}

/** Processor time is counted in hundredths of a second: too short a round has none. */
function cpuText(ratio: ReturnType<typeof spreadOf>): string {
  return Number.isFinite(ratio.median) ? `, CPU ${rangeText(ratio)}` : ''
}

function rangeText({ median, lowest, highest }: ReturnType<typeof spreadOf>): string {
  return `${median.toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)})`
}

function judged(
  { name }: Server,
  goals: readonly Goal[],
  rate: number,
  cpu: number,
): Pick<Row, 'goal' | 'met'> {
  // Beside SeaweedFS that syncs nothing, which is the harder of the two.
  const goal = goals.find(({ beside }) =>
    beside.startsWith('floor:') ? name.startsWith(beside) : name === beside,
  )
  if (goal === undefined) return {}
  const { cpuAtMost, rateAtLeast } = goal
  if (cpuAtMost !== undefined) return { goal: `CPU at most ${cpuAtMost}`, met: cpu <= cpuAtMost }
  if (rateAtLeast !== undefined) return { goal: `rate at least ${rateAtLeast}`, met: rate >= rateAtLeast }
  return {}
}

interface LargeWork {
  readonly what: string
  readonly in: readonly Goal[]
  readonly out: readonly Goal[]
}

interface Transfers {
  readonly server: Server
  /** MiB/s and ms of processor time for each MiB, one of each for a round. */
  readonly in: { rates: number[]; cpuMs: number[] }
  readonly out: { rates: number[]; cpuMs: number[] }
}

/** One large body after the other; the small-file floors have no part in it. */
async function largeRows(
  settings: Settings,
  ours: Server,
  others: readonly Server[],
  work: LargeWork,
): Promise<Row[]> {
  const { rounds, largeBytes } = scaleOf(settings)
  const size = `${largeBytes / 2 ** 20} MiB`
  const servers = [ours, ...others.filter(({ name }) => !name.startsWith('floor:'))]
  const all: Transfers[] = servers.map(server => ({
    ...{ server, in: { rates: [], cpuMs: [] }, out: { rates: [], cpuMs: [] } },
  }))
  for (let round = 1; round <= rounds; round++) {
    for (const { server, ...directions } of all) {
      const path = `bench/large-${round}`
      for (const [direction, result] of [
        ['put', directions.in],
        ['get', directions.out],
      ] as const) {
        const target =
          direction === 'put' ? `${server.putTarget(path)}${server.putQuery ?? ''}` : server.getTarget(path)
        const before = await cpuSecondsOf(server.pids)
        const bytesPerSecond = await runStreamLoad(server.port, direction, target, largeBytes)
        const cpuSeconds = (await cpuSecondsOf(server.pids)) - before
        result.rates.push(bytesPerSecond / 2 ** 20)
        result.cpuMs.push((cpuSeconds * 1000) / (largeBytes / 2 ** 20))
      }
      await fetch(`http://127.0.0.1:${server.port}${server.removeTarget(path)}`, { method: 'DELETE' })
    }
    settings.progress(`${size}, ${work.what}: round ${round}`)
  }
  return (['in', 'out'] as const).flatMap(direction =>
    transferRows(`${size} ${direction}, ${work.what}`, direction, all, work[direction]),
  )
}

function transferRows(
  what: string,
  direction: 'in' | 'out',
  [ours, ...others]: readonly Transfers[],
  goals: readonly Goal[],
): Row[] {
  if (ours === undefined) return []
  const mine = ours[direction]
  return others.map(({ server, [direction]: theirs }) => {
    const rate = spreadOf(ratiosOf(mine.rates, theirs.rates))
    const cpu = spreadOf(ratiosOf(mine.cpuMs, theirs.cpuMs))
    return {
      ...{ what: `${what}, beside ${server.name}`, ours: transferText(mine), baseline: transferText(theirs) },
      ratio: `rate ${rangeText(rate)}${cpuText(cpu)}`,
      ...judged(server, goals, rate.median, cpu.median),
    }
  })
}

function transferText({ rates, cpuMs }: Transfers['in']): string {
  const { median, lowest, highest } = spreadOf(rates)
  const whole = (figure: number) => Math.round(figure).toLocaleString('en')
  return `${whole(median)} MiB/s (${whole(lowest)} to ${whole(highest)}), CPU ${spreadOf(cpuMs).median.toFixed(1)} ms a MiB`
}
