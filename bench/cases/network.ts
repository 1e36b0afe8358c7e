/**
 * Networks of 1, 3 and 5 nodes on this machine, k = 3: gets at a replica and through one hop beside a bare
 * fastify-undici-fastify hop, durable puts through all nodes at once, lookups, and one large file through a node that
 * does not keep it.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cluster, ClusterNode } from '../../test/e2e/cluster.ts'
import { cpuSecondsOf } from '../cpu-time.ts'
import { runRequestLoad } from '../loads/request-load.ts'
import { openBareHop } from '../servers/bare-hop.ts'
import { openBaseline } from '../servers/baseline.ts'
import { asServer, openOurNetwork, pathsThatAre } from '../servers/our-network.ts'
import type { Server } from '../servers/server.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import type { Benchmark, Row, Settings } from './benchmark.ts'
import { compareTransfers, roundsOf } from './large-file.ts'
import { perSecond, type Round, rateRow, rateText, takeTurns } from './turns.ts'

const SIZES = [1, 3, 5]
const CONNECTIONS = 64

/** Writers enough for groups of dozens to share each flush and each request between nodes. */
const MANY_CONNECTIONS = 512

/** The share of a bare hop's rate that a get through one hop should reach. */
const HOP_RATIO_GOAL = 0.6

/** Durable puts per second that a network of three should take. */
const PUT_RATE_GOAL = 5_000

export const network: Benchmark = {
  name: 'network',
  async run(settings) {
    const hop = await openBareHop()
    try {
      const rows: Row[] = []
      for (const size of SIZES) rows.push(...(await ofSize(settings, size, hop)))
      return rows
    } finally {
      await hop.stop()
    }
  },
}

async function ofSize(settings: Settings, size: number, hop: Server): Promise<Row[]> {
  const cluster = await openOurNetwork(size)
  settings.progress(`${nodesText(size)} run`)
  try {
    // With no more nodes than copies every node is a replica of everything.
    const isLarge = size > 3
    return [
      await getRow(settings, cluster, hop, 'here'),
      ...(isLarge ? [await getRow(settings, cluster, hop, 'elsewhere')] : []),
      await putRow(settings, cluster, CONNECTIONS),
      ...(size === 3 ? [await putRow(settings, cluster, MANY_CONNECTIONS)] : []),
      await lookupRow(settings, cluster),
      ...(isLarge ? await largeRows(settings, cluster) : []),
    ]
  } finally {
    await cluster.close()
  }
}

async function getRow(
  settings: Settings,
  cluster: Cluster,
  hop: Server,
  where: 'here' | 'elsewhere',
): Promise<Row> {
  const entry = cluster.node(0)
  const [path] = (await pathsThatAre(where, entry, 1024, 1)) as [string]
  const measured = await takeTurns(
    settings,
    asServer(cluster, entry),
    hop,
    ({ port, getTarget }, durationMs) =>
      runRequestLoad({ port, method: 'GET', target: getTarget(path), connections: CONNECTIONS, durationMs }),
  )
  const how = where === 'here' ? 'at a replica' : 'through one hop'
  const row = rateRow(`get 1 KiB ${how}, ${nodesText(cluster.nodes.length)}`, measured, hop)
  if (where === 'here') return row
  const ratio = spreadOf(ratiosOf(perSecond(measured.ours), perSecond(measured.baseline))).median
  return { ...row, goal: `${HOP_RATIO_GOAL} of the baseline`, met: ratio >= HOP_RATIO_GOAL }
}

/** Puts come through every node at once, as they would from clients that each know another one. */
async function putRow(settings: Settings, cluster: Cluster, connections: number): Promise<Row> {
  const size = cluster.nodes.length
  const share = Math.ceil(connections / size)
  let run = 0
  const rounds = await repeat(settings, cluster, async durationMs => {
    run++
    const target = `/put/bench/put-${connections}-${run}`
    const each = await Promise.all(
      cluster.nodes.map((node, i) =>
        runRequestLoad({
          ...{ port: node.port, method: 'PUT', target: `${target}-${i}`, uniquePaths: true },
          ...{ connections: share, bodyBytes: 4096, durationMs },
        }),
      ),
    )
    const slowest = each.reduce((a, b) => (a.latencyMs.p99 > b.latencyMs.p99 ? a : b))
    return {
      perSecond: each.reduce((sum, { perSecond }) => sum + perSecond, 0),
      requests: each.reduce((sum, { requests }) => sum + requests, 0),
      refused: 0,
      latencyMs: slowest.latencyMs,
    }
  })
  const what = `durable put 4 KiB of unique paths, k = ${Math.min(3, size)}, ${nodesText(size)}, ${share * size} connections to all of them`
  if (size !== 3) return { what, ours: rateText(rounds) }
  const met = spreadOf(perSecond(rounds)).median >= PUT_RATE_GOAL
  return { what, ours: rateText(rounds), goal: `${PUT_RATE_GOAL.toLocaleString('en')}/s`, met }
}

async function lookupRow(settings: Settings, cluster: Cluster): Promise<Row> {
  const { port } = cluster.node(0)
  const rounds = await repeat(settings, cluster, durationMs =>
    runRequestLoad({
      ...{ port, method: 'GET', target: '/lookup/bench', uniquePaths: true },
      ...{ connections: CONNECTIONS, durationMs },
    }),
  )
  return { what: `lookup of unique paths, ${nodesText(cluster.nodes.length)}, warm`, ours: rateText(rounds) }
}

type Load = (durationMs: number) => Promise<Omit<Round, 'cpuUs'>>

/** A short run to warm up, then several; processor time is that of all nodes together. */
async function repeat(settings: Settings, cluster: Cluster, load: Load): Promise<Round[]> {
  const pids = cluster.running.map(({ process }: ClusterNode) => process.pid)
  const rounds: Round[] = []
  await load(settings.quick ? 1000 : 2000)
  for (let round = 1; round <= (settings.quick ? 1 : 5); round++) {
    const before = await cpuSecondsOf(pids)
    const result = await load(settings.quick ? 1000 : 3000)
    const cpuUs = (((await cpuSecondsOf(pids)) - before) * 1e6) / result.requests
    rounds.push({ ...result, cpuUs })
    settings.progress(
      `${nodesText(pids.length)}: ${Math.round(result.perSecond)}/s, ${cpuUs.toFixed(1)} us of CPU each (round ${round})`,
    )
  }
  return rounds
}

async function largeRows(settings: Settings, cluster: Cluster): Promise<Row[]> {
  const bytes = settings.quick ? 64 * 2 ** 20 : 2 ** 30
  const entry = cluster.node(0)
  const paths = await pathsThatAre('elsewhere', entry, 0, roundsOf(settings))
  for (const path of paths) await fetch(`${entry.process.url}/remove/${path}`, { method: 'DELETE' })
  const directory = join(settings.directory, 'network')
  await mkdir(directory)
  const baseline = await openBaseline(directory)
  try {
    const size = settings.quick ? '64 MiB' : '1 GiB'
    const what = `${size} through a node that does not keep it, ${nodesText(cluster.nodes.length)}, k = 3:`
    return await compareTransfers(settings, { ours: asServer(cluster, entry), baseline, bytes, what, paths })
  } finally {
    await baseline.stop()
  }
}

function nodesText(nodes: number): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`
}
