/**
 * `npm run bench [-- --quick] [-- --only get,put,large,many]`: runs the benchmarks and writes what was measured into
 * RESULTS.md. With `--quick` it only prints.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Benchmark, Settings } from './cases/benchmark.ts'
import { largeFile } from './cases/large-file.ts'
import { manyFiles } from './cases/many-files.ts'
import { getSmallFiles, putSmallFiles } from './cases/small-files.ts'
import { describeMachine } from './machine.ts'
import { type Measured, resultsPage, table } from './report.ts'

const benchmarks: readonly Benchmark[] = [getSmallFiles, putSmallFiles, largeFile, manyFiles]
const names = benchmarks.map(benchmark => benchmark.name)
const resultsFile = new URL('RESULTS.md', import.meta.url)

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } })
for (const name of chosenNames(values.only)) {
  const benchmark = benchmarks.find(one => one.name === name) as Benchmark
  const measured = await run(benchmark)
  console.log(`${table(measured.rows).join('\n')}\n`)
  if (!values.quick) {
    const previous = await readFile(resultsFile, 'utf8').catch(() => '')
    await writeFile(resultsFile, resultsPage(previous, await describeMachine(), names, [measured]))
  }
}

async function run(benchmark: Benchmark): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'altered-chord-bench-'))
  const settings: Settings = {
    quick: values.quick ?? false,
    directory,
    progress: message => console.error(`  ${message}`),
  }
  console.error(`${benchmark.name}:`)
  try {
    const begun = new Date()
    const before = loadavg()
    const rows = await benchmark.run(settings)
    return { name: benchmark.name, begun, loads: [before, loadavg()], rows }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function chosenNames(only: string | undefined): readonly string[] {
  if (only === undefined) return names
  return only.split(',').map(name => {
    if (names.includes(name)) return name
    throw new TypeError(`no benchmark is called ${name}; there are ${names.join(', ')}`)
  })
}
