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

/** What is compared, and with which file. */
export interface Comparison {
  readonly ours: Server
  readonly baseline: Server
  readonly bytes: number
  readonly what: string
  /** Of the file, one for each round. */
  readonly paths: readonly string[]
}

export function roundsOf(settings: Settings): number {
  return settings.quick ? 1 : 5
}

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
    try {
      const paths = Array.from({ length: roundsOf(settings) }, (_, round) => `bench/large-${round}`)
      return await compareTransfers(settings, { ours, baseline, bytes, what: name, paths })
    } finally {
      await Promise.all([ours.stop(), baseline.stop()])
    }
  },
}

/** Ours and the baseline in turns; `what` names the file in the rows. */
export async function compareTransfers(
  settings: Settings,
  { ours, baseline, bytes, what: name, paths }: Comparison,
): Promise<Row[]> {
  const measured = { ours: noTransfers(), baseline: noTransfers() }
  for (const path of paths) {
    await transfer(settings, ours, bytes, path, measured.ours)
    await transfer(settings, baseline, bytes, path, measured.baseline)
  }
  return (['put', 'get'] as const).flatMap(direction => {
    const what = direction === 'put' ? `${name} in (ours durable, ${baseline.name} unsynced)` : `${name} out`
    return [
      rateRow(what, baseline, measured.ours[direction], measured.baseline[direction]),
      memoryRow(what, baseline, measured.ours.moved[direction], measured.baseline.moved[direction]),
    ]
  })
}

function noTransfers(): Transfers {
  return { put: [], get: [], moved: { put: 0, get: 0 } }
}

async function transfer(
  settings: Settings,
  server: Server,
  bytes: number,
  path: string,
  transfers: Transfers,
): Promise<void> {
  for (const direction of ['put', 'get'] as const) {
    // What the other one left in the page cache is written back before the clock runs.
    await run('sync')
    const target = direction === 'put' ? server.putTarget(path) : server.getTarget(path)
    const load = runStreamLoad(server.port, direction, target, bytes)
    const memory = await Promise.all(server.pids.map(pid => residentBytesDuring(pid, () => load)))
    const moved = Math.max(...memory.map(({ before, peak }) => peak - before))
    transfers[direction].push(await load)
    transfers.moved[direction] = Math.max(transfers.moved[direction], moved)
    settings.progress(
      `${server.name}: ${direction} ${mebibytes(await load)} MiB/s, RssAnon moves ${mebibytes(moved)} MiB`,
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
