/**
 * `npm run crowd [-- --idle N --uploads N --downloads N --seconds S]`: the long form of crowd.test.ts. Prints what a crowd of
 * clients that hold a node up costs it, and what another client waits for meanwhile.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runCrowd } from './crowd.ts'
import { startNode } from './harness.ts'

const { values } = parseArgs({
  options: {
    idle: { type: 'string', default: '5000' },
    uploads: { type: 'string', default: '500' },
    downloads: { type: 'string', default: '3000' },
    seconds: { type: 'string', default: '20' },
  },
})
const numbers = Object.entries(values).map(([name, value]) => [name, Number(value)] as const)
if (!numbers.every(([, number]) => Number.isInteger(number) && number >= 0)) {
  throw new TypeError('--idle, --uploads, --downloads and --seconds are whole numbers')
}
const { idle = 0, uploads = 0, downloads = 0, seconds = 0 } = Object.fromEntries(numbers)
const dataDirectory = await mkdtemp(join(tmpdir(), 'altered-chord-crowd-'))
const node = await startNode({ dataDirectory })
try {
  const stayMs = seconds * 1000
  console.log(await runCrowd({ node, idle, uploads, downloads, fileBytes: 40 * 1024 * 1024, stayMs }))
} finally {
  await node.kill()
  await rm(dataDirectory, { recursive: true, force: true })
}
