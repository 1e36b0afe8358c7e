/**
 * Many small requests: gets of 1 KiB and 64 KiB, durable puts of 4 KiB. Ours and the baseline take turns.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runRequestLoad } from '../loads/request-load.ts'
import { runSocketLoad } from '../loads/socket-load.ts'
import { openBaseline } from '../servers/baseline.ts'
import { openOurNode } from '../servers/our-node.ts'
import type { Server } from '../servers/server.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import type { Benchmark, Row, Settings } from './benchmark.ts'
import { perSecond, rateRow, takeTurns } from './turns.ts'

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
