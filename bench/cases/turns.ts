/**
 * How two servers are compared under many small requests: they take turns, and the ratios of neighbours count.
 */
import { cpuSecondsOf } from '../cpu-time.ts'
import type { LoadResult } from '../loads/socket-load.ts'
import type { Server } from '../servers/server.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import type { Row, Settings } from './benchmark.ts'

export interface Round extends LoadResult {
  /** Processor time of the server for each request, microseconds. */
  readonly cpuUs: number
}

export interface Measured {
  readonly ours: readonly Round[]
  readonly baseline: readonly Round[]
}

/** One short run of each to warm up, then ours and the baseline in turns. */
export async function takeTurns(
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
      const cpuBefore = await cpuSecondsOf(server.pids)
      const result = await measure(server, durationMs)
      const cpuUs = (((await cpuSecondsOf(server.pids)) - cpuBefore) * 1e6) / result.requests
      results.push({ ...result, cpuUs })
      settings.progress(
        `${server.name}: ${Math.round(result.perSecond)}/s, ${cpuUs.toFixed(1)} us of CPU each (round ${round})`,
      )
    }
  }
  return measured
}

export function rateRow(what: string, measured: Measured, baseline: Server): Row {
  const ratio = spreadOf(ratiosOf(perSecond(measured.ours), perSecond(measured.baseline)))
  return {
    what,
    ours: rateText(measured.ours),
    baseline: `${baseline.name}: ${rateText(measured.baseline)}`,
    ratio: `${ratio.median.toFixed(2)} (${ratio.lowest.toFixed(2)} to ${ratio.highest.toFixed(2)})`,
  }
}

export function rateText(results: readonly Round[]): string {
  const rate = spreadOf(perSecond(results))
  const whole = (figure: number) => Math.round(figure).toLocaleString('en')
  const p50 = spreadOf(results.map(result => result.latencyMs.p50)).median
  const p99 = spreadOf(results.map(result => result.latencyMs.p99)).median
  const p999 = spreadOf(results.map(result => result.latencyMs.p999)).median
  const cpuUs = spreadOf(results.map(result => result.cpuUs)).median
  return (
    `${whole(rate.median)}/s (${whole(rate.lowest)} to ${whole(rate.highest)}), ` +
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, p99.9 ${p999.toFixed(1)} ms, CPU ${cpuUs.toFixed(1)} µs each`
  )
}

export function perSecond(results: readonly LoadResult[]): number[] {
  return results.map(result => result.perSecond)
}
