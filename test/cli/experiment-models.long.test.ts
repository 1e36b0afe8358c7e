/**
 * The experiments with the two models of consistency, as commands, over a network of three real processes.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { EXIT_CODES } from '../../src/cli/session.ts'
import { waitFor } from '../e2e/harness.ts'
import { scriptedSession } from './scripted-session.ts'

// Processes take their time to start on a machine that is shared.
t.setTimeout(600_000)

const PROGRAM = fileURLToPath(new URL('../../bin/altered-chord.js', import.meta.url))

async function run(...argv: string[]) {
  const session = scriptedSession()
  const code = await runCli(['experiment', ...argv], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('throughput, latency and stale reads of both models, with plots', async t => {
  const folder = join(t.testdir(), 'figures')
  const words = ['--nodes', '3', '--replicas', '3', '--operations', '20', '--clients', '1', '-o', folder]
  for (const consistency of ['chain', 'eventual']) {
    const { code, out, err } = await run('models', ...words, '--consistency', consistency)
    t.equal(code, EXIT_CODES.done, err)
    t.match(out, new RegExp(`^\\| 1 \\| ${consistency} \\| 3 \\| [\\d.]+ ± [\\d.]+ \\|.*\\| 0 \\|$`, 'm'))
    t.match(err, `3 nodes, ${consistency}, k = 3`)
  }
  const [, ...lines] = readFileSync(join(folder, 'figures.csv'), 'utf8').trimEnd().split('\n')
  t.same(
    lines.map(line => line.split(',').slice(0, 6).join()),
    [
      'insert,chain,3,1,3,20',
      'insert,eventual,3,1,3,20',
      'query,chain,3,1,3,20',
      'query,eventual,3,1,3,20',
      'consistency,chain,3,1,3,20',
      'consistency,eventual,3,1,3,20',
    ],
    'what was measured before stays in the folder',
  )
  const chain = lines[4]?.split(',') ?? []
  t.ok(Number(chain.at(-5)) > 0, 'queries were compared')
  t.equal(chain.at(-4), '0', 'the chain shows nothing stale')
  t.ok(readdirSync(folder).includes('consistency-stale.svg'))
  t.match(readFileSync(join(folder, 'README.md'), 'utf8'), '## Inserts and queries of the same keys')
})

t.test('requests from a file', async t => {
  const folder = t.testdir({
    requests: 'insert, Hey Jude, 1\nquery, Hey Jude\nquery, Yesterday\n',
    none: 'x\n',
  })
  const words = ['--nodes', '1', '--replicas', '1', '--clients', '1', '--consistency', 'eventual']
  const { code, out, err } = await run('consistency', ...words, '--input', join(folder, 'requests'))
  t.equal(code, EXIT_CODES.done, err)
  t.match(out, '| 0 of 2 |')
  const wrong = await run('consistency', ...words, '--input', join(folder, 'none'))
  t.equal(wrong.code, EXIT_CODES.refused)
  t.match(wrong.err, 'Line 1 is no request of this experiment: x')
})

t.test('wrong calls', async t => {
  const folder = t.testdir({ file: 'a, 1\n' })
  const wrong: string[][] = [
    ['insert', '--nodes', '51'],
    ['insert', '--nodes', '3', '--replicas', '5'],
    ['insert', '--replicas', '8'],
    ['insert', '--consistency', 'strong'],
    ['insert', '--operations', '0'],
    ['insert', '--input', join(folder, 'nothing')],
    ['insert', '--operations', '5', '--input', join(folder, 'file')],
    ['models', '--input', join(folder, 'file')],
  ]
  for (const argv of wrong) t.equal((await run(...argv)).code, EXIT_CODES.usage, argv.join(' '))
})

t.test('figures of other networks are not overwritten', async t => {
  const folder = t.testdir({ file: 'a, 1\nb, 2\n' })
  const words = ['insert', '--nodes', '1', '--replicas', '1', '--clients', '1', '--consistency', 'eventual']
  const { code, err } = await run(...words, '--operations', '1', '-o', folder)
  t.equal(code, EXIT_CODES.done, err)
  const before = readFileSync(join(folder, 'figures.csv'), 'utf8')
  const other = await run(...words, '--consistency', 'chain', '--operations', '2', '-o', folder)
  t.match(other.err, 'has figures of other nodes, requests or machines')
  t.equal(readFileSync(join(folder, 'figures.csv'), 'utf8'), before)
})

for (const signal of ['SIGKILL', 'SIGINT'] as const)
  t.test(`an experiment that is ended by ${signal} leaves nothing behind`, async t => {
    const folder = t.testdir()
    const temporary = join(folder, 'temporary')
    mkdirSync(temporary)
    writeFileSync(join(folder, 'requests'), 'a, 1\n'.repeat(50_000))
    const words = ['--nodes', '2', '--replicas', '1', '--input', join(folder, 'requests')]
    const child = spawn(process.execPath, [PROGRAM, 'experiment', 'insert', ...words], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: 'ignore',
      cwd: folder,
    })
    t.teardown(() => child.kill('SIGKILL'))
    const ended = once(child, 'close')
    const left = () =>
      execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
        .split('\n')
        .filter(line => line.includes(temporary))
    await waitFor(() => left().length >= 2, { what: 'both nodes run', timeoutMs: 300_000 })
    child.kill(signal)
    await ended
    // What was translated of the program stays for the next run of it.
    const folders = () => readdirSync(temporary).filter(name => name.startsWith('altered-chord'))
    const isGone = () => left().length === 0 && folders().length === 0
    await waitFor(isGone, { what: 'nodes and folder are gone', timeoutMs: 60_000 })
    t.same(left(), [])
    t.same(folders(), [])
  })
