/**
 * Holds docs/seeds.md to the tests that it names.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { filesUnder, readPage, repositoryRoot } from './tidy/inventory.ts'
import { faultsOfSeedTable, seedRowsOf } from './tidy/seed-table.ts'

t.test('every row is shown by a test, and every test of a system has a row', async t => {
  const page = readPage('docs/seeds.md').text
  const seedFiles = filesUnder('test/seeds', '.test.ts')
  t.ok(seedFiles.length >= 4, 'the tests were found')
  t.ok(seedRowsOf(page).length > 25, 'the rows were found')
  const textOf = (file: string) => (existsSync(join(repositoryRoot, file)) ? readPage(file).text : undefined)
  t.same(faultsOfSeedTable(page, textOf, seedFiles), [])
})

t.test('each fault is found', async t => {
  const row = (here: string, shown: string) =>
    `| documented | here | shown by |\n| --- | --- | --- |\n| x | ${here} | ${shown} |\n`
  const text = "t.test('system A', async t => {\n  await t.test('it\\'s there', async t => {})\n})\n"
  const files: Record<string, string> = { 'test/seeds/a.test.ts': text }
  const faults = (page: string) => faultsOfSeedTable(page, file => files[file], Object.keys(files))
  const good = row('`src/a.ts`', "`test/seeds/a.test.ts`: it's there")
  t.same(faults(good), [])
  t.match(faults(row('`src/a.ts`', '`test/seeds/a.test.ts`: it is there')), [
    /names the test "it is there", which test\/seeds\/a.test.ts does not have/,
    /no row for "it's there"/,
  ])
  t.match(faults(good.replace('a.test.ts', 'b.test.ts')), [
    /which test\/seeds\/b.test.ts does not have/,
    /no row for "it's there" of test\/seeds\/a.test.ts/,
    /no row for test\/seeds\/a.test.ts/,
  ])
  t.match(faults(row('', 'not yet')), [/no row for "it's there"/, /no row for test/])
  for (const [here, shown] of [
    ['', '`test/seeds/a.test.ts`: x'],
    ['`src/a.ts`', ''],
    ['`src/a.ts`', 'not yet'],
    ['`src/a.ts`', 'soon'],
  ] as const)
    t.throws(() => seedRowsOf(row(here, shown)), /row without a test/, shown)
})
