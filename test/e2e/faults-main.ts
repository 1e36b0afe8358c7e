/**
 * `npm run faults -- [--seconds N | --minutes N] [--seed S] [--only KIND,KIND] [--large-mib N] [--clock-hours N]
 * [--overlap] [--history FILE] [--tries FILE]`: the long form of faults.long.test.ts, judged by porcupine, too, where Go is there. Prints what it does to the
 * nodes and what came of it, and ends with 0 when no promise was broken.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { Porcupine } from '../porcupine/porcupine.ts'
import { runFaults } from './faults.ts'
import { FAULT_KINDS, type FaultKind, OVERLAPPING_KINDS } from './faults-nemesis.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    'large-mib': { type: 'string', default: '100' },
    'clock-hours': { type: 'string', default: '6' },
    history: { type: 'string' },
    tries: { type: 'string' },
    overlap: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds ?? 60 * Number(values.minutes ?? 2))
const seed = Number(values.seed ?? randomInt(1_000_000))
const largeMib = Number(values['large-mib'])
const clockHours = Number(values['clock-hours'])
const { overlap } = values
const kinds = (values.only?.split(',') ?? (overlap ? OVERLAPPING_KINDS : FAULT_KINDS)) as FaultKind[]
if (!(seconds > 0) || !(largeMib > 0) || !(clockHours >= 0) || !Number.isInteger(seed)) {
  throw new TypeError('--seconds, --minutes, --seed, --large-mib and --clock-hours are numbers')
}
const unknown = kinds.filter(kind => !FAULT_KINDS.includes(kind))
if (unknown.length > 0) throw new TypeError(`--only takes ${FAULT_KINDS.join(', ')}, not ${unknown}`)

const porcupine = await Porcupine.build()
if (typeof porcupine === 'string') console.log(`porcupine does not judge this run: ${porcupine}`)
console.log(`${seconds} s, seed ${seed}`)
const began = performance.now()
const result = await runFaults({
  seconds,
  seed,
  kinds,
  clockHours,
  overlap,
  largeBytes: largeMib * 1024 * 1024,
  ...(values.history !== undefined && { historyFile: values.history }),
  ...(values.tries !== undefined && { triesFile: values.tries }),
  ...(typeof porcupine !== 'string' && { porcupine }),
  say: line => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`),
})
if (typeof porcupine !== 'string') await porcupine.close()
const { faults, told, ...rest } = result
console.table(faults)
console.table(told)
console.log(rest)
const unseen = Object.keys(faults).filter(kind => faults[kind]?.seen === 0)
if (unseen.length > 0) throw new Error(`never seen to act: ${unseen.join(', ')}`)
