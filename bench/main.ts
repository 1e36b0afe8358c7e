/**
 * `npm run bench [-- --quick] [--peers] [--only get,network]`: runs the benchmarks, or with `--peers` those beside other
 * programs. A whole run at full size writes its part of RESULTS.md; every other run only prints, so that figures of different runs
 * never stand in one table. `--profile` prints where the time of a put goes.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Benchmark, Row, Settings } from './cases/benchmark.ts'
import { core } from './cases/core.ts'
import { largeFile } from './cases/large-file.ts'
import { manyFiles } from './cases/many-files.ts'
import { network } from './cases/network.ts'
import { describePeers, peerBenchmarks } from './cases/peers.ts'
import { getSmallFiles, putSmallFiles } from './cases/small-files.ts'
import { soak } from './cases/soak.ts'
import { describeMachine } from './machine.ts'
import { profilePuts } from './profile.ts'
import { resultsPage, table } from './report.ts'

const benchmarks: readonly Benchmark[] = [
  core,
  getSmallFiles,
  putSmallFiles,
  largeFile,
  manyFiles,
  network,
  soak,
]

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    peers: { type: 'boolean' },
    profile: { type: 'boolean' },
    only: { type: 'string' },
  },
})
const part = values.peers ? 'peers' : 'alone'
const chosen = choose(values.peers ? peerBenchmarks : benchmarks, values.only?.split(','))
const directory = await mkdtemp(join(tmpdir(), 'altered-chord-bench-'))
const settings: Settings = {
  quick: values.quick ?? false,
  directory,
  progress: message => console.error(`  ${message}`),
}
try {
  if (values.profile) await profilePuts(settings)
  else await runAll()
} finally {
  await rm(directory, { recursive: true, force: true })
}

async function runAll(): Promise<void> {
  const date = new Date()
  const machine = [...(await describeMachine()), ...(values.peers ? await describePeers() : [])]
  const rows: Row[] = []
  for (const benchmark of chosen) {
    console.error(`${benchmark.name}:`)
    rows.push(...(await benchmark.run(settings)))
  }
  console.log(table(rows).join('\n'))
  if (!settings.quick && values.only === undefined) {
    const page = new URL('RESULTS.md', import.meta.url)
    const before = await readFile(page, 'utf8').catch(() => '')
    await writeFile(page, resultsPage(before, { part, node: process.version, machine, date, rows }))
  }
}

function choose(all: readonly Benchmark[], names: readonly string[] | undefined): readonly Benchmark[] {
  if (names === undefined) return all
  return names.map(name => {
    const found = all.find(benchmark => benchmark.name === name)
    const known = all.map(benchmark => benchmark.name).join(', ')
    if (found === undefined) throw new TypeError(`no benchmark is called ${name}; there are ${known}`)
    return found
  })
}
