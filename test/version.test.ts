import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { readVersion, VERSION } from '../src/version.ts'

t.test('the version is the one of package.json', async t => {
  t.match(VERSION, /^\d+\.\d+\.\d+/)
  const file = join(t.testdir({}), 'package.json')
  writeFileSync(file, '{"name":"x"}')
  t.throws(() => readVersion(pathToFileURL(file)), TypeError)
})
