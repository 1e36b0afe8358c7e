/**
 * `npm run operations -- [--only NAME,NAME] [--files N] [--nodes N]`: measures what users feel while real nodes join,
 * depart, crash and restart, and prints a table. docs/operations.md keeps what came of it.
 */
import { cpus, loadavg, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { OPERATIONS, type Row } from './operations.ts'

const names = Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[]
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: names.join() },
    files: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '35' },
  },
})
const [files, nodes] = [Number(values.files), Number(values.nodes)]
if (!(Number.isInteger(files) && files > 0 && Number.isInteger(nodes) && nodes > 0)) {
  throw new TypeError('--files and --nodes are numbers')
}
const chosen = values.only.split(',') as typeof names
const unknown = chosen.filter(name => !names.includes(name))
if (unknown.length > 0) throw new TypeError(`--only takes ${names.join(', ')}, not ${unknown}`)

const began = performance.now()
const say = (line: string) =>
  console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`)
const gibibytes = (totalmem() / 2 ** 30).toFixed(0)
console.log(`${cpus().length} cores (${cpus()[0]?.model}), ${gibibytes} GiB, Node.js ${process.version}\n`)
console.log('| measure | seen |\n| --- | --- |')
for (const name of chosen) {
  say(name)
  const load = loadavg()[0]?.toFixed(0)
  const rows: Row[] = await OPERATIONS[name]({ files, nodes, say })
  for (const { what, value } of rows) console.log(`| ${what} | ${value} |`)
  console.log(`| load of the machine before and after \`${name}\` | ${load}, ${loadavg()[0]?.toFixed(0)} |`)
}
