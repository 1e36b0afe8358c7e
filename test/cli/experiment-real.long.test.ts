/**
 * The experiments with real processes, as commands. What they measure is tested in test/lab/experiments.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { EXIT_CODES } from '../../src/cli/session.ts'
import { scriptedSession } from './scripted-session.ts'

// Processes take their time to start on a machine that is shared.
t.setTimeout(600_000)

async function run(...argv: string[]) {
  const session = scriptedSession()
  const code = await runCli(['experiment', ...argv], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('lookups of three processes: a table, a CSV and a plot', async t => {
  const folder = join(t.testdir(), 'figures')
  const words = ['--nodes', '3', '--runs', '1', '--lookups', '10', '--learn', 'chain', '--replicas', '1']
  const { code, out, err } = await run('lookup', ...words, '-o', folder)
  t.equal(code, EXIT_CODES.done, err)
  t.match(out, /^\| 3 \| chain \| start \| \d\.\d\d \|/m)
  t.match(out, /^\| 3 \| chain \| warm \| \d\.\d\d \|/m)
  t.match(err, '3 nodes, --learn chain')
  t.same((await readdir(folder)).sort(), ['known.svg', 'lookup.csv', 'lookup.svg'])
  t.match(await readFile(join(folder, 'lookup.csv'), 'utf8'), /^3,chain,1,1,warm,1,10,/m)
  t.match(await readFile(join(folder, 'lookup.svg'), 'utf8'), /^<svg/)
})

t.test('wrong calls', async t => {
  const wrong: string[][] = [
    ['lookup', '--nodes', '1'],
    ['lookup', '--nodes', '5000'],
    ['lookup', '--runs', '0'],
    ['lookup', '--learn', 'everything'],
    ['lookup', '--seeds', '3'],
    ['lookup', '--growth'],
    ['lookup', '--lifetime', '10'],
    ['lookup', '--answering', '3'],
    ['lookup', '--simulated', '--runs', '2'],
    ['memory', '--nodes', '1'],
    ['memory', '--nodes', '5000'],
    ['memory', '--replicas', '0'],
  ]
  for (const argv of wrong) t.equal((await run(...argv)).code, EXIT_CODES.usage, argv.join(' '))
})

t.test('an interrupt ends it', async t => {
  const session = scriptedSession()
  session.interrupt(new Error('interrupted'))
  t.equal(await runCli(['experiment', 'lookup', '--nodes', '2'], session), 130)
  t.equal(await runCli(['experiment', 'memory', '--nodes', '2'], session), 130)
})
