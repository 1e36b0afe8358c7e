/**
 * `npm run mutants -- [--jobs N] [--only TEXT] [--tests] [--seeds N] [--again] [--page]`: tries to catch every mutant of the
 * table, or those whose id or file has the text, and writes docs/mutants.md. A run that was broken off goes on where it
 * was; a mutant is tried again when its source or its tests have changed, or with --again. --tests leaves the simulator
 * out, --seeds bounds it, --page writes the page from what is known. Ends with 1 when a mutant got through.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { judgeMutant, type Verdict } from './judge-mutant.ts'
import { fingerprintOf, type Mutant, ROOT, testsOf } from './mutant.ts'
import { PAGE_FILE, pageOf, Results } from './results.ts'
import { MUTANTS } from './tables/all.ts'

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '2' },
    only: { type: 'string', default: '' },
    tests: { type: 'boolean', default: false },
    seeds: { type: 'string' },
    again: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
})
const jobs = Number(values.jobs)
if (!(jobs >= 1)) throw new TypeError('--jobs is a number from 1 on')

const results = new Results()
const fingerprint = (mutant: Mutant) =>
  fingerprintOf(
    mutant,
    testsOf(mutant, path => existsSync(join(ROOT, path))),
  )
const known = (mutant: Mutant) => results.of(mutant.id, fingerprint(mutant))
const chosen = MUTANTS.filter(
  ({ id, file, equivalent }) =>
    equivalent === undefined && (id.includes(values.only) || file.includes(values.only)),
)
// What was not caught is tried again, and first: there may be new tests of other files, and other seeds.
const wasCaught = ({ id }: Mutant) => Number((results.latest(id)?.by ?? 'nobody') !== 'nobody')
const waiting = values.page
  ? []
  : chosen
      .filter(mutant => values.again || (known(mutant)?.by ?? 'nobody') === 'nobody')
      .sort((a, b) => wasCaught(a) - wasCaught(b))
console.log(`${MUTANTS.length} mutants, ${waiting.length} to be tried`)

/** Those that got through what was tried now, whatever caught them before. */
const open = new Set<string>()

async function work(): Promise<void> {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const began = performance.now()
    const options = {
      testsOnly: values.tests,
      ...(values.seeds !== undefined && { seedsMax: Number(values.seeds) }),
    }
    const verdict = await judgeMutant(mutant, options)
    const isOpen = verdict.by === 'nobody' && verdict.seeds === 0
    if (isOpen) open.add(mutant.id)
    else results.note({ id: mutant.id, fingerprint: fingerprint(mutant), verdict })
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(`${seconds.padStart(6)} s  ${mutant.id}: ${words(verdict)}`)
  }
}

function words(verdict: Verdict): string {
  switch (verdict.by) {
    case 'test':
      return `${verdict.file}: ${verdict.title}`
    case 'schedule':
      return `schedule ${verdict.name}: ${verdict.failure}`
    case 'seeds':
      return `seed ${verdict.seeds}: ${verdict.failure}`
    case 'nobody':
      return verdict.seeds === 0 ? 'NO TEST CATCHES IT' : `GOT THROUGH ${verdict.seeds} seeds`
  }
}

await Promise.all(Array.from({ length: jobs }, work))
writeFileSync(
  join(ROOT, PAGE_FILE),
  pageOf(MUTANTS, id => results.latest(id)),
)
const missed = chosen.filter(({ id }) => open.has(id) || (results.latest(id)?.by ?? 'nobody') === 'nobody')
console.log(missed.length === 0 ? 'all caught' : `not caught: ${missed.map(({ id }) => id).join(', ')}`)
process.exitCode = missed.length === 0 ? 0 : 1
