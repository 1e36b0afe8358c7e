/**
 * What docs/seeds.md has to be: each row shown by a test that exists, and each file of test/seeds in a row. Pure
 * functions of the page and of the tests.
 */
import type { Fault } from './source-rules.ts'

export interface SeedRow {
  readonly documented: string
  readonly file: string
  readonly title: string
}

/** What stands in the last cell of what does not work yet. */
const NOT_YET = 'not yet'

/** The rows that name a test. @throws Error when a row names neither a test nor that it is not yet there. */
export function seedRowsOf(page: string): SeedRow[] {
  return page.split('\n').flatMap(line => {
    if (!line.startsWith('| ') || line.startsWith('| ---') || line.startsWith('| documented ')) return []
    const [documented = '', here = '', shown = ''] = line
      .slice(1, -1)
      .split('|')
      .map(cell => cell.trim())
    if (shown === NOT_YET && here === '') return []
    const match = /^`(test\/[\w./-]+\.test\.ts)`: (.+)$/.exec(shown)
    if (match === null || here === '') throw new Error(`docs/seeds.md has a row without a test: ${line}`)
    return [{ documented, file: match[1] as string, title: match[2] as string }]
  })
}

/** `textOf`: the text of a test file, undefined when there is none. `seedFiles`: the tests of the systems. */
export function faultsOfSeedTable(
  page: string,
  textOf: (file: string) => string | undefined,
  seedFiles: readonly string[],
): Fault[] {
  const rows = seedRowsOf(page)
  const missing = rows
    .filter(({ file, title }) => !titlesOf(textOf(file) ?? '').includes(title))
    .map(({ file, title }) => `docs/seeds.md names the test "${title}", which ${file} does not have`)
  const without = seedFiles
    .flatMap(file => titlesOf(textOf(file) ?? '').map(title => ({ file, title })))
    // The outermost test of a system holds the others.
    .filter(({ title }) => !/^system [A-E](?:: .*)?$/.test(title))
    .filter(({ file, title }) => !rows.some(row => row.file === file && row.title === title))
    .map(({ file, title }) => `docs/seeds.md has no row for "${title}" of ${file}`)
  const idle = seedFiles
    .filter(file => !rows.some(row => row.file === file))
    .map(file => `docs/seeds.md has no row for ${file}`)
  return [...missing, ...without, ...idle]
}

/** The titles of the tests in a file, as they are written. */
function titlesOf(text: string): string[] {
  return [...text.matchAll(/\bt\.test\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"([^"\n]*)")/g)].map(match =>
    (match[1] ?? match[2] ?? '').replace(/\\(.)/g, '$1'),
  )
}
