import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)

/** Full collections of a process that keeps 30 MiB of objects, replaced one by one until 800 MiB were thrown away. */
async function collections(percent: number | undefined): Promise<number> {
  const program = `
    import { constants, PerformanceObserver } from 'node:perf_hooks'
    import { setHeapGrowth } from ${JSON.stringify(new URL('../../src/cli/heap-growth.ts', import.meta.url).href)}
    setHeapGrowth(${percent ?? ''})
    let full = 0
    const count = entries => {
      for (const { detail } of entries) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++
    }
    const observer = new PerformanceObserver(list => count(list.getEntries()))
    observer.observe({ entryTypes: ['gc'] })
    const kept = Array.from({ length: 30 }, () => new Array(131_072).fill(0))
    for (let i = 0; i < 800; i++) {
      kept[i % 30] = new Array(131_072).fill(i)
      await new Promise(resolve => setImmediate(resolve))
    }
    count(observer.takeRecords())
    console.log(full, kept.length)
  `
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program])
  return Number(stdout.split(' ')[0])
}

t.test('the heap grows by what it is told to between two full collections', async t => {
  const [usual, narrow] = [await collections(undefined), await collections(20)]
  t.ok(usual > 0, `${usual} full collections`)
  t.ok(usual * 2 < narrow, `${usual} full collections, and ${narrow} when it grows by a fifth`)
})
