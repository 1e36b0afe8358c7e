/**
 * Many small requests: gets of 1 KiB and 64 KiB, durable puts of 4 KiB. Ours and the baseline take turns.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuSeconds } from '../cpu-time.ts'
import { runRequestLoad } from '../loads/request-load.ts'
import { type LoadResult, runSocketLoad } from '../loads/socket-load.ts'
import { openBaseline } from '../servers/baseline.ts'
import { openOurNode } from '../servers/our-node.ts'
import type { Server } from '../servers/server.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import type { Benchmark, Row, Settings } from './benchmark.ts'

const CONNECTIONS = 64

/** The share of the baseline's rate that a get should reach. */
const GET_RATIO_GOAL = 0.8

/** Durable puts per second that should be reached. */
const PUT_RATE_GOAL = 10_000

export const getSmallFiles: Benchmark = {
  name: 'get',
  async run(settings) {
    const rows: Row[] = []
    await withBothServers('get', settings, async (ours, baseline) => {
      for (const [name, bytes] of [
        ['1 KiB', 1024],
        ['64 KiB', 64 * 1024],
      ] as const) {
        const path = `bench/get/${bytes}`
        for (const server of [ours, baseline]) {
          const target = server.putTarget(path)
          await runSocketLoad({
            ...{ port: server.port, method: 'PUT', target, connections: 1 },
            ...{ count: 1, bodyBytes: bytes },
          })
        }
        const measured = await takeTurns(settings, ours, baseline, (server, durationMs) =>
          runRequestLoad({
            ...{ port: server.port, method: 'GET', target: server.getTarget(path) },
            ...{ connections: CONNECTIONS, durationMs },
          }),
        )
        const ratio = spreadOf(ratiosOf(perSecond(measured.ours), perSecond(measured.baseline))).median
        rows.push({
          ...rateRow(`get ${name}, ${CONNECTIONS} connections`, measured, baseline),
          goal: `${GET_RATIO_GOAL} of the baseline`,
          met: ratio >= GET_RATIO_GOAL,
        })
      }
    })
    return rows
  },
}

export const putSmallFiles: Benchmark = {
  name: 'put',
  async run(settings) {
    const rows: Row[] = []
    await withBothServers('put', settings, async (ours, baseline) => {
      let run = 0
      const measured = await takeTurns(settings, ours, baseline, (server, durationMs) => {
        run++
        return runRequestLoad({
          ...{ port: server.port, method: 'PUT', target: server.putTarget(`bench/put-${run}`) },
          ...{ uniquePaths: true, connections: CONNECTIONS, bodyBytes: 4096, durationMs },
        })
      })
      const rate = spreadOf(perSecond(measured.ours)).median
      const ratio = spreadOf(ratiosOf(perSecond(measured.ours), perSecond(measured.baseline))).median
      rows.push({
        ...rateRow(
          `put 4 KiB of unique paths, ${CONNECTIONS} connections (ours durable, ${baseline.name} unsynced)`,
          measured,
          baseline,
        ),
        goal: `${PUT_RATE_GOAL.toLocaleString('en')}/s, and faster than the baseline`,
        met: rate >= PUT_RATE_GOAL && ratio > 1,
      })
    })
    return rows
  },
}

interface Round extends LoadResult {
  /** Processor time of the server for each request, microseconds. */
  readonly cpuUs: number
}

interface Measured {
  readonly ours: readonly Round[]
  readonly baseline: readonly Round[]
}

/** One short run of each to warm up, then ours and the baseline in turns. */
async function takeTurns(
  settings: Settings,
  ours: Server,
  baseline: Server,
  measure: (server: Server, durationMs: number) => Promise<LoadResult>,
): Promise<Measured> {
  const rounds = settings.quick ? 1 : 5
  const durationMs = settings.quick ? 1000 : 3000
  const measured = { ours: [] as Round[], baseline: [] as Round[] }
  for (const server of [ours, baseline]) await measure(server, settings.quick ? 1000 : 2000)
  for (let round = 1; round <= rounds; round++) {
    for (const [server, results] of [
      [ours, measured.ours],
      [baseline, measured.baseline],
    ] as const) {
      const cpuBefore = await cpuSeconds(server.pid)
      const result = await measure(server, durationMs)
      const cpuUs = (((await cpuSeconds(server.pid)) - cpuBefore) * 1e6) / result.requests
      results.push({ ...result, cpuUs })
      settings.progress(
        `${server.name}: ${Math.round(result.perSecond)}/s, ${cpuUs.toFixed(1)} us of CPU each (round ${round})`,
      )
    }
  }
  return measured
}

function rateRow(what: string, measured: Measured, baseline: Server): Row {
  const ratio = spreadOf(ratiosOf(perSecond(measured.ours), perSecond(measured.baseline)))
  return {
    what,
    ours: rateText(measured.ours),
    baseline: `${baseline.name}: ${rateText(measured.baseline)}`,
    ratio: `${ratio.median.toFixed(2)} (${ratio.lowest.toFixed(2)} to ${ratio.highest.toFixed(2)})`,
  }
}

function rateText(results: readonly Round[]): string {
  const rate = spreadOf(perSecond(results))
  const whole = (figure: number) => Math.round(figure).toLocaleString('en')
  const p50 = spreadOf(results.map(result => result.latencyMs.p50)).median
  const p99 = spreadOf(results.map(result => result.latencyMs.p99)).median
  const cpuUs = spreadOf(results.map(result => result.cpuUs)).median
  return (
    `${whole(rate.median)}/s (${whole(rate.lowest)} to ${whole(rate.highest)}), ` +
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, CPU ${cpuUs.toFixed(1)} µs each`
  )
}

function perSecond(results: readonly LoadResult[]): number[] {
  return results.map(result => result.perSecond)
}

async function withBothServers(
  name: string,
  settings: Settings,
  during: (ours: Server, baseline: Server) => Promise<void>,
): Promise<void> {
  const directory = join(settings.directory, name)
  await mkdir(directory)
  const baseline = await openBaseline(join(directory, 'baseline'))
  const ours = await openOurNode(join(directory, 'ours'))
  try {
    await during(ours, baseline)
  } finally {
    await Promise.all([ours.stop(), baseline.stop()])
  }
}
