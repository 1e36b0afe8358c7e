import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fingerprintOf, type Mutant, mutatedSource, ROOT, testsOf } from './mutant.ts'
import { PAGE_FILE, pageOf, verdictsOn } from './results.ts'
import { MUTANTS } from './tables/all.ts'

const exists = (path: string) => existsSync(join(ROOT, path))

t.test('each mutant finds its text exactly once, and says what its loss means', async t => {
  const faults = MUTANTS.flatMap(mutant => {
    try {
      mutatedSource(mutant)
      return []
    } catch (error) {
      return [(error as Error).message]
    }
  })
  t.same(faults, [])
  t.ok(MUTANTS.length >= 150, `${MUTANTS.length} mutants`)
  t.equal(new Set(MUTANTS.map(({ id }) => id)).size, MUTANTS.length)
  for (const { id, find, replace, loss, tests = [], schedule } of MUTANTS) {
    if (find === replace || loss === '' || !/^[a-z0-9-]+$/.test(id)) t.fail(`${id} is no mutant`)
    const named = [...tests, ...(schedule === undefined ? [] : [`test/lab/schedules/${schedule}.json`])]
    for (const file of named) if (!exists(file)) t.fail(`${id} names ${file}, which is not there`)
  }
})

t.test('a text that has moved is a fault', async t => {
  const [mutant] = MUTANTS as [Mutant]
  t.throws(() => mutatedSource({ ...mutant, find: 'nowhere in the file' }), /has its text 0 times/)
  t.throws(() => mutatedSource({ ...mutant, find: 'const ' }), /times, not once/)
})

t.test('the page has every mutant', async t => {
  const page = readFileSync(join(ROOT, PAGE_FILE), 'utf8')
  const missing = MUTANTS.filter(({ id }) => !page.includes(`| ${id} |`)).map(({ id }) => id)
  t.same(missing, [], 'npm run mutants -- --page writes it')
})

t.test('the page says how each was caught, and what got through', async t => {
  const base = { file: 'src/views/view.ts', find: 'a', replace: 'b', loss: 'a | b' }
  const mutants = [
    { ...base, id: 'one' },
    { ...base, id: 'two' },
    { ...base, id: 'three' },
    { ...base, id: 'four', equivalent: 'another guard does it' },
  ]
  const page = pageOf(mutants, id => {
    if (id === 'one') return { by: 'test', file: 'test/a.test.ts', title: 'it `works`' }
    return id === 'two' ? { by: 'nobody', seeds: 48 } : undefined
  })
  t.match(
    page,
    /4 mutants: 1 are caught by a test, 0 by a schedule, 0 by seeds; 1 are equivalent, 1 got through, 1 have not/,
  )
  t.match(page, "| one | `src/views/view.ts` | a \\| b | `test/a.test.ts`: it 'works' |")
  t.match(page, '| two | `src/views/view.ts` | a \\| b | 48 |')
  t.match(page, '| four | `src/views/view.ts` | a \\| b | another guard does it |')
  t.same(
    [...verdictsOn(page)],
    [
      ['two', { by: 'nobody', seeds: 48 }],
      ['one', { by: 'test', file: 'test/a.test.ts', title: "it 'works'" }],
    ],
    'and can be read again',
  )
})

t.test('a verdict is void when the mutant, its source or its tests have changed', async t => {
  const [mutant] = MUTANTS as [Mutant]
  const tests = testsOf(mutant, exists)
  t.equal(fingerprintOf(mutant, tests), fingerprintOf(mutant, tests))
  t.not(fingerprintOf({ ...mutant, replace: 'other' }, tests), fingerprintOf(mutant, tests))
  t.not(fingerprintOf(mutant, []), fingerprintOf(mutant, tests))
})
