/**
 * The benchmark beside other programs, at its smallest: that all the floors start, do the work and are told.
 */
import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import { repositoryRoot } from './harness.ts'

test('the smallest run beside the floors ends with a table', { timeout: 600_000 }, async t => {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', 'bench/main.ts', '--peers', '--quick', '--only', 'peers-1,peers-3'],
    // Nothing but node is found, so that no other program has a part in it.
    { cwd: repositoryRoot, env: { ...process.env, PATH: dirname(process.execPath), NODE_OPTIONS: '' } },
  )
  for (const name of ['dufs', 'SeaweedFS', 'Garage'])
    t.match(stderr, new RegExp(`${name} is not installed`), `${name} is left out, and named`)
  for (const work of [
    'get 1 KiB, one node',
    'put 4 KiB, one node',
    'put 4 KiB, k = 3, 3 nodes, one at a time',
  ])
    t.match(stdout, new RegExp(`\\| ${work}.*beside floor.*rate \\d`), work)
})
