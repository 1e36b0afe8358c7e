import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { EXIT_CODES } from '../../src/cli/session.ts'
import { scriptedSession } from './scripted-session.ts'

async function lookup(...args: string[]) {
  const session = scriptedSession()
  const code = await runCli(['experiment', 'lookup', ...args], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('a small network: a table on stdout, CSV and SVG in the folder', async t => {
  const folder = join(t.testdir(), 'figures')
  const quick = ['--simulated', '--nodes', '20,30', '--seeds', '2', '--lookups', '3', '-o', folder]
  const { code, out, err } = await lookup(...quick)
  t.equal(code, EXIT_CODES.done)
  const rows = out.trimEnd().split('\n')
  t.equal(rows.length, 2 + 2 * 2 * 3 * 2, 'sizes, with and without churn, three ways to teach, two moments')
  t.match(err, /Written to .*figures: lookup\.csv/)
  t.same((await readdir(folder)).sort(), [
    'bytes-20.svg',
    'bytes-30.svg',
    'hops-20.svg',
    'hops-30.svg',
    'lookup.csv',
  ])
  t.match(await readFile(join(folder, 'hops-30.svg'), 'utf8'), /^<svg/)
  t.equal((await readFile(join(folder, 'lookup.csv'), 'utf8')).trimEnd().split('\n').length, rows.length - 1)
})

t.test('modes and churn can be left out', async t => {
  const small = ['--simulated', '--nodes', '5', '--seeds', '1', '--lookups', '1']
  const { out } = await lookup(...small, '--learn', 'chain', '--lifetime', '0')
  t.equal(out.trimEnd().split('\n').length, 3)
  t.match(out, /the chain alone/)
  const churned = await lookup(...small, '--lifetime', '60,90')
  const lifetimes = churned.out
    .trimEnd()
    .split('\n')
    .slice(2)
    .map(line => line.split('|')[2]?.trim())
  t.same([...new Set(lifetimes)], ['60 s lifetimes', '90 s lifetimes'])
})

t.test('the figures do not depend on the threads', async t => {
  const args = ['--simulated', '--nodes', '20', '--seeds', '3', '--lookups', '2']
  const alone = await lookup(...args, '--jobs', '1')
  t.equal(alone.code, EXIT_CODES.done)
  t.equal((await lookup(...args, '--jobs', '3')).out, alone.out)
})

t.test('the growth of young networks', async t => {
  const folder = t.testdir()
  const quick = ['--simulated', '--growth', '--seeds', '1', '--learn', 'chain']
  const { code, out } = await lookup(...quick, '-o', folder)
  t.equal(code, EXIT_CODES.done)
  t.equal(out.trimEnd().split('\n').length, 2 + 7)
  t.same((await readdir(folder)).sort(), ['growth.csv', 'growth.svg'])
})

t.test('wrong calls are told apart from failures', async t => {
  const wrong: string[][] = [
    ['--simulated', '--nodes', '1'],
    ['--simulated', '--nodes', '5,x'],
    ['--simulated', '--nodes', '1000000'],
    ['--simulated', '--seeds', '0'],
    ['--simulated', '--jobs', '0'],
    ['--simulated', '--lifetime', '-1'],
    ['--jobs', '2'],
    ['--simulated', '--lookups', '1.5'],
    ['--simulated', '--learn', 'everything'],
  ]
  for (const args of wrong) t.equal((await lookup(...args)).code, EXIT_CODES.usage, args.join(' '))
})

t.test('an interrupt ends it', async t => {
  const session = scriptedSession()
  session.interrupt(new Error('interrupted'))
  t.equal(await runCli(['experiment', 'lookup', '--simulated', '--nodes', '400'], session), 130)
})
