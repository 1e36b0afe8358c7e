/**
 * `npm run bench [-- --quick] [-- --only get,network]`: runs the benchmarks. A whole run at full size writes
 * RESULTS.md; every other run only prints, so that figures of different runs never stand in one table.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Benchmark, Row, Settings } from './cases/benchmark.ts'
import { core } from './cases/core.ts'
import { largeFile } from './cases/large-file.ts'
import { manyFiles } from './cases/many-files.ts'
import { network } from './cases/network.ts'
import { getSmallFiles, putSmallFiles } from './cases/small-files.ts'
import { soak } from './cases/soak.ts'
import { describeMachine } from './machine.ts'
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

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } })
const chosen = choose(values.only?.split(','))
const directory = await mkdtemp(join(tmpdir(), 'altered-chord-bench-'))
const settings: Settings = {
  quick: values.quick ?? false,
  directory,
  progress: message => console.error(`  ${message}`),
}
try {
  const date = new Date()
  const machine = await describeMachine()
  const rows: Row[] = []
  for (const benchmark of chosen) {
    console.error(`${benchmark.name}:`)
    rows.push(...(await benchmark.run(settings)))
  }
  console.log(table(rows).join('\n'))
  if (!settings.quick && values.only === undefined) {
    await writeFile(new URL('RESULTS.md', import.meta.url), resultsPage(machine, date, rows))
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}

function choose(names: readonly string[] | undefined): readonly Benchmark[] {
  if (names === undefined) return benchmarks
  return names.map(name => {
    const found = benchmarks.find(benchmark => benchmark.name === name)
    const known = benchmarks.map(benchmark => benchmark.name).join(', ')
    if (found === undefined) throw new TypeError(`no benchmark is called ${name}; there are ${known}`)
    return found
  })
}
