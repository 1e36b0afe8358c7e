/**
 * One file of 1 GiB in and out: the rate beside the baseline's, and how far the memory of the node moves.
 */
import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { residentBytesDuring } from '../../test/e2e/harness.ts'
import { runStreamLoad } from '../loads/stream-load.ts'
import { openBaseline } from '../servers/baseline.ts'
import { openOurNode } from '../servers/our-node.ts'
import type { Server } from '../servers/server.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import type { Benchmark, Row, Settings } from './benchmark.ts'

const run = promisify(execFile)

const RATIO_GOAL = 0.5
const MOVED_MEBIBYTES_GOAL = 64

interface Transfers {
  readonly put: number[]
  readonly get: number[]
  /** How far RssAnon moved at the most, bytes, over all rounds. */
  moved: { put: number; get: number }
}

export const largeFile: Benchmark = {
  name: 'large',
  async run(settings) {
    const bytes = settings.quick ? 64 * 2 ** 20 : 2 ** 30
    const name = settings.quick ? '64 MiB' : '1 GiB'
    const directory = join(settings.directory, 'large')
    await mkdir(directory)
    const baseline = await openBaseline(join(directory, 'baseline'))
    const ours = await openOurNode(join(directory, 'ours'))
    const measured = { ours: noTransfers(), baseline: noTransfers() }
    try {
      for (let round = 1; round <= (settings.quick ? 1 : 5); round++) {
        await transfer(settings, ours, bytes, round, measured.ours)
        await transfer(settings, baseline, bytes, round, measured.baseline)
      }
    } finally {
      await Promise.all([ours.stop(), baseline.stop()])
    }
    return (['put', 'get'] as const).flatMap(direction => {
      const what =
        direction === 'put' ? `${name} in (ours durable, ${baseline.name} unsynced)` : `${name} out`
      return [
        rateRow(what, baseline, measured.ours[direction], measured.baseline[direction]),
        memoryRow(what, baseline, measured.ours.moved[direction], measured.baseline.moved[direction]),
      ]
    })
  },
}

function noTransfers(): Transfers {
  return { put: [], get: [], moved: { put: 0, get: 0 } }
}

async function transfer(
  settings: Settings,
  server: Server,
  bytes: number,
  round: number,
  transfers: Transfers,
): Promise<void> {
  const path = `bench/large-${round}`
  for (const direction of ['put', 'get'] as const) {
    // What the other one left in the page cache is written back before the clock runs.
    await run('sync')
    const target = direction === 'put' ? server.putTarget(path) : server.getTarget(path)
    const { before, peak } = await residentBytesDuring(server.pid, async () => {
      transfers[direction].push(await runStreamLoad(server.port, direction, target, bytes))
    })
    transfers.moved[direction] = Math.max(transfers.moved[direction], peak - before)
    const rate = Math.round((transfers[direction].at(-1) ?? 0) / 2 ** 20)
    settings.progress(
      `${server.name}: ${direction} ${rate} MiB/s, RssAnon ${mebibytes(before)} to ${mebibytes(peak)} MiB`,
    )
  }
  await fetch(`http://127.0.0.1:${server.port}${server.removeTarget(path)}`, { method: 'DELETE' })
}

function rateRow(what: string, baseline: Server, ours: number[], theirs: number[]): Row {
  const ratio = spreadOf(ratiosOf(ours, theirs))
  return {
    what,
    ours: rateText(ours),
    baseline: `${baseline.name}: ${rateText(theirs)}`,
    ratio: `${ratio.median.toFixed(2)} (${ratio.lowest.toFixed(2)} to ${ratio.highest.toFixed(2)})`,
    goal: `${RATIO_GOAL} of the baseline`,
    met: ratio.median >= RATIO_GOAL,
  }
}

function memoryRow(what: string, baseline: Server, ours: number, theirs: number): Row {
  return {
    what: `${what}: RssAnon moves at the most`,
    ours: `${mebibytes(ours)} MiB`,
    baseline: `${baseline.name}: ${mebibytes(theirs)} MiB`,
    goal: `under ${MOVED_MEBIBYTES_GOAL} MiB`,
    met: mebibytes(ours) < MOVED_MEBIBYTES_GOAL,
  }
}

function rateText(rates: readonly number[]): string {
  const { median, lowest, highest } = spreadOf(rates)
  return `${mebibytes(median)} MiB/s (${mebibytes(lowest)} to ${mebibytes(highest)})`
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
