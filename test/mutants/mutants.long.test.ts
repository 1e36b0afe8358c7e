import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { judgeMutant } from './judge-mutant.ts'
import { type Mutant, ROOT } from './mutant.ts'
import { PAGE_FILE } from './results.ts'
import { MUTANTS } from './tables/all.ts'

t.setTimeout(900_000)

/** Of those that a test catches by failing, not by never ending; evenly over the table, about two minutes on one core. */
const SAMPLE = 24

t.test('a sample is caught by its tests', async t => {
  const page = readFileSync(join(ROOT, PAGE_FILE), 'utf8')
  const byTest = MUTANTS.filter(({ id }) =>
    new RegExp(`^\\| ${id} \\|.*\\| \`test/(?!.*: it does not end)`, 'm').test(page),
  )
  const step = Math.max(1, Math.floor(byTest.length / SAMPLE))
  const sample = byTest.filter((_, index) => index % step === 0).slice(0, SAMPLE)
  t.ok(sample.length > 0)
  const missed: string[] = []
  const waiting = [...sample]
  const work = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const verdict = await judgeMutant(mutant, { testsOnly: true })
      if (verdict.by !== 'test') missed.push(mutant.id)
    }
  }
  await Promise.all([work(), work()])
  t.same(missed, [])
  t.comment(`${sample.length} of ${MUTANTS.length} mutants`)
})

t.test('a change that breaks nothing is caught by nobody', async t => {
  const mutant: Mutant = {
    id: 'nothing',
    file: 'src/views/view.ts',
    find: 'export function bootName({ counter, nonce }: Boot): string {',
    replace: 'export function bootName({ counter, nonce }: Boot): string {\n  void counter',
    loss: 'nothing',
  }
  t.same(await judgeMutant(mutant, { testsOnly: true }), { by: 'nobody', seeds: 0 })
  t.same(await judgeMutant({ ...mutant, seeds: 1 }), { by: 'nobody', seeds: 1 })
})
