/**
 * 200 clients for a minute on a network of three: no error, and the memory of each node where it was.
 */
import type { Cluster } from '../../test/e2e/cluster.ts'
import { runRequestLoad } from '../loads/request-load.ts'
import { openOurNetwork } from '../servers/our-network.ts'
import type { Benchmark, Row, Settings } from './benchmark.ts'

const CLIENTS = 200
const NODES = 3

/** Memory may move by this much over a minute, MiB: what V8 takes and gives back between two collections. */
const MOVED_MEBIBYTES_GOAL = 64

export const soak: Benchmark = {
  name: 'soak',
  async run(settings) {
    const cluster = await openOurNetwork(NODES)
    try {
      // Buffers, caches and compiled code are there before anything is measured.
      await load(cluster, 'warm', settings.quick ? 2_000 : 15_000)
      const before = await residentMebibytes(cluster)
      const durationMs = settings.quick ? 5_000 : 60_000
      const { gets, puts } = await load(cluster, 'run', durationMs)
      const after = await residentMebibytes(cluster)
      settings.progress(`RssAnon ${before.join(', ')} MiB to ${after.join(', ')} MiB`)
      return rows(settings, { gets, puts, before, after })
    } finally {
      await cluster.close()
    }
  },
}

/** Half of the clients get one file of 1 KiB, half put new ones of 4 KiB; a third of each at every node. */
async function load(cluster: Cluster, name: string, durationMs: number) {
  const connections = Math.ceil(CLIENTS / 2 / NODES)
  const path = `bench/soak-${name}`
  const first = cluster.node(0).process.url
  await fetch(`${first}/put/${path}/file`, { method: 'PUT', body: Buffer.alloc(1024, 'altered-chord ') })
  const each = await Promise.all(
    cluster.nodes.flatMap(({ port }, i) => [
      runRequestLoad({ port, method: 'GET', target: `/get/${path}/file`, connections, durationMs }),
      runRequestLoad({
        ...{ port, method: 'PUT', target: `/put/${path}/${i}`, uniquePaths: true },
        ...{ connections, bodyBytes: 4096, durationMs },
      }),
    ]),
  )
  const requestsOf = (parity: number) =>
    each.filter((_, i) => i % 2 === parity).reduce((sum, { requests }) => sum + requests, 0)
  return { gets: requestsOf(0), puts: requestsOf(1) }
}

function residentMebibytes(cluster: Cluster): Promise<number[]> {
  return Promise.all(
    cluster.nodes.map(async ({ process }) => Math.round((await process.residentBytes()) / 2 ** 20)),
  )
}

interface Soaked {
  readonly gets: number
  readonly puts: number
  readonly before: readonly number[]
  readonly after: readonly number[]
}

function rows(settings: Settings, { gets, puts, before, after }: Soaked): Row[] {
  const seconds = settings.quick ? 5 : 60
  const grown = Math.max(...after.map((mebibytes, i) => mebibytes - (before[i] as number)))
  const what = `${CLIENTS} clients for ${seconds} s, ${NODES} nodes, half of them get 1 KiB and half put 4 KiB`
  const whole = (figure: number) => Math.round(figure).toLocaleString('en')
  return [
    // A load that is refused once throws.
    { what, ours: `${whole(gets)} gets, ${whole(puts)} puts, none refused`, goal: 'no error', met: true },
    {
      what: `${what}: RssAnon of each node before and after`,
      ours: `${before.join(', ')} MiB before, ${after.join(', ')} MiB after`,
      goal: `none grows by ${MOVED_MEBIBYTES_GOAL} MiB`,
      met: grown < MOVED_MEBIBYTES_GOAL,
    },
  ]
}
