/**
 * `npm run crowd [-- --idle N --uploads N --downloads N --seconds S] [--remote]`: the long form of crowd.long.test.ts. Prints what a crowd of
 * clients that hold a node up costs it, and what another client waits for meanwhile. With
 * `--remote` the node is one of four, and does not keep what is downloaded.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Cluster } from './cluster.ts'
import { type CrowdOptions, pathsElsewhere, runCrowd } from './crowd.ts'
import { startNode } from './harness.ts'

const { values } = parseArgs({
  options: {
    idle: { type: 'string', default: '5000' },
    uploads: { type: 'string', default: '500' },
    downloads: { type: 'string', default: '3000' },
    seconds: { type: 'string', default: '20' },
    remote: { type: 'boolean', default: false },
  },
})
const { remote, ...counts } = values
const numbers = Object.entries(counts).map(([name, value]) => [name, Number(value)] as const)
if (!numbers.every(([, number]) => Number.isInteger(number) && number >= 0)) {
  throw new TypeError('--idle, --uploads, --downloads and --seconds are whole numbers')
}
const { idle = 0, uploads = 0, downloads = 0, seconds = 0 } = Object.fromEntries(numbers)
const crowd = { idle, uploads, downloads, fileBytes: 40 * 1024 * 1024, stayMs: seconds * 1000 }
await (remote ? amongOthers(crowd) : alone(crowd))

async function alone(options: Omit<CrowdOptions, 'node'>): Promise<void> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'altered-chord-crowd-'))
  const node = await startNode({ dataDirectory })
  try {
    console.log(await runCrowd({ node, ...options }))
  } finally {
    await node.kill()
    await rm(dataDirectory, { recursive: true, force: true })
  }
}

async function amongOthers(options: Omit<CrowdOptions, 'node' | 'paths'>): Promise<void> {
  const cluster = await Cluster.start({ nodes: 4 })
  try {
    const { address, process: node } = cluster.node(0)
    const paths = pathsElsewhere(
      address,
      cluster.nodes.map(other => other.address),
    )
    console.log(await runCrowd({ node, ...options, paths }))
  } finally {
    await cluster.close()
  }
}
