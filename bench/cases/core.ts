/**
 * The pure core alone, without network and disk: lookups in a large map, steps of the protocol's machine, and what a
 * change of view moves while its range is sealed.
 */
import { realEnv } from '../../src/env.ts'
import { measureSealedWork, measureSteps } from '../../src/lab/simulator/chain-measures.ts'
import { measureMembershipEvents } from '../../src/lab/simulator/membership-measure.ts'
import { measureMapLookups } from '../lookup-in-map.ts'
import { spreadOf } from '../statistics.ts'
import type { Benchmark, Row, Settings } from './benchmark.ts'

const NODES = 10_000
const VIRTUAL_NODES = 8

const LOOKUP_GOAL_NS = 2_000

const ROUNDS = 9

/** Writes through a chain of three in one round. */
const WRITES = 20_000

/** Records that were written after the new replica had copied the range. */
const WRITES_SINCE_COPY = 5

/** Messages one after the other for which the levels of a digest tree may account: a question and an answer each. */
const DIGEST_MESSAGES_MAX = 2 * 4

export const core: Benchmark = {
  name: 'core',
  async run(settings) {
    const membership = await membershipRows(settings)
    return [lookupRow(settings), stepsRow(settings), ...sealedRows(settings), ...membership]
  },
}

function lookupRow({ quick, progress }: Settings): Row {
  progress(`lookups in a map of ${NODES} nodes`)
  const size = { nodes: NODES, virtualNodes: VIRTUAL_NODES, keys: quick ? 1_000 : 100_000, rounds: ROUNDS }
  const { median, lowest, highest } = spreadOf(measureMapLookups(size))
  return {
    what: `lookup in a map of ${NODES.toLocaleString('en')} nodes x ${VIRTUAL_NODES} virtual nodes`,
    ours: `${Math.round(median)} ns (${Math.round(lowest)} to ${Math.round(highest)})`,
    goal: 'under 2 µs',
    met: median < LOOKUP_GOAL_NS,
  }
}

function stepsRow({ quick, progress }: Settings): Row {
  progress('steps of the machine')
  const { clock } = realEnv()
  const rounds = Array.from({ length: quick ? 1 : ROUNDS }, () => measureSteps(quick ? 500 : WRITES, clock))
  const { median, lowest, highest } = spreadOf(rounds.map(({ stepsPerSecond }) => stepsPerSecond))
  const number = (value: number) => Math.round(value).toLocaleString('en')
  return {
    what: 'steps of the protocol core: writes through a chain of three, 7 steps each, one machine after the other',
    ours: `${number(median)}/s (${number(lowest)} to ${number(highest)})`,
  }
}

function sealedRows({ quick, progress }: Settings): Row[] {
  const sizes = quick ? [10, 10_000] : [10, 10_000, 1_000_000]
  const works = sizes.map(records => {
    progress(`a change of view of ${records} records`)
    return measureSealedWork(records, WRITES_SINCE_COPY)
  })
  return works.map(({ records, messages, recordsMoved, hops }) => ({
    what: `while the view of ${records.toLocaleString('en')} records changes, ${WRITES_SINCE_COPY} written since they were copied: moved between its seal and the next view's being active`,
    ours: `${messages} messages, ${hops} of them one after the other; ${recordsMoved} records`,
    goal: `${WRITES_SINCE_COPY} records; messages of the digest tree's four levels at the most`,
    met: recordsMoved === WRITES_SINCE_COPY && hops <= (works[0]?.hops ?? Number.NaN) + DIGEST_MESSAGES_MAX,
  }))
}

/** Goals of one membership event, ms of processor time, by the number of nodes. */
const EVENT_GOALS_MS = new Map([
  [1_000, 1],
  [10_000, 5],
])

async function membershipRows({ quick, progress }: Settings): Promise<Row[]> {
  const sizes = quick ? [10, 1_000] : [10, 100, 1_000, 10_000]
  const rows: Row[] = []
  for (const nodes of sizes) {
    progress(`membership events among ${nodes} nodes`)
    const size = { nodes, virtualNodes: VIRTUAL_NODES, rounds: quick ? 20 : 100 }
    const { ranges, eventMs } = await measureMembershipEvents(size, () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1000
    })
    const { median, lowest, highest } = spreadOf(eventMs)
    const goalMs = EVENT_GOALS_MS.get(nodes)
    rows.push({
      what: `another node moves, among ${nodes.toLocaleString('en')} nodes x ${VIRTUAL_NODES} virtual nodes: processor time of a node with ${ranges} ranges`,
      ours: `${median.toFixed(2)} ms (${lowest.toFixed(2)} to ${highest.toFixed(2)})`,
      ...(goalMs !== undefined && { goal: `under ${goalMs} ms`, met: median < goalMs }),
    })
  }
  return rows
}
