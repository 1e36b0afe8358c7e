/**
 * `npm run faults -- [--seconds N] [--seed S]`: the long form of faults.test.ts. Prints what it does to the nodes and
 * what came of it, and ends with 0 when no promise was broken.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runFaults } from './faults.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '120' }, seed: { type: 'string' } },
})
const seconds = Number(values.seconds)
const seed = Number(values.seed ?? randomInt(1_000_000))
if (!(seconds > 0) || !Number.isInteger(seed)) throw new TypeError('--seconds and --seed are numbers')
console.log(`${seconds} s, seed ${seed}`)
const began = performance.now()
const result = await runFaults({
  seconds,
  seed,
  say: line => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`),
})
console.log(JSON.stringify(result))
