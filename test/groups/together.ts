/**
 * Runs the tests of whole folders in one process. To start a process with its loader and its test library takes about a second,
 * and most test files take a tenth of that.
 */
import { readdirSync } from 'node:fs'
import t from 'tap'

const tests = new URL('../', import.meta.url)

/** `folders` lie below test. What takes long by nature is left to `npm run test:long`. */
export function together(...folders: readonly string[]): void {
  const files = folders.flatMap(folder =>
    readdirSync(new URL(`${folder}/`, tests), { recursive: folder !== '.', encoding: 'utf8' })
      .filter(name => name.endsWith('.test.ts') && !name.endsWith('.long.test.ts'))
      .sort()
      .map(name => new URL(`${folder}/${name}`, tests)),
  )
  // The tests wait in line behind this one: tap would end when none waits while the next file is read.
  t.test(`the tests of ${folders.join(', ')}`, async t => {
    for (const file of files) await import(file.href)
    t.ok(files.length > 0)
  })
}
