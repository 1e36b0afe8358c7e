import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { simulate } from '../../../src/lab/simulator/simulate.ts'

const toyFile = fileURLToPath(new URL('./toy-scenario.ts', import.meta.url))

async function run(...options: string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = []
  const code = await simulate(['--scenario', toyFile, '--jobs', '1', ...options], line =>
    lines.push(...line.split('\n')),
  )
  return { code, lines }
}

t.test('fresh seeds that pass: figures, and nothing that looks like a bar', async t => {
  const { code, lines } = await run('--seeds', '40', '--from', '7')
  t.equal(code, 0)
  t.equal(lines[0], 'toy: 40 runs from seed 7')
  t.match(
    lines[1],
    /^40 runs in [\d.]+ s: [\d.]+ ms a run, \d+ runs\/s with 1 threads; \d+ events, [\d.]+ hours/,
  )
  t.equal(lines[2], 'all passed')
  t.equal(lines.length, 3)
})

t.test('a start seed that was not asked for is another one each time, and printed', async t => {
  const first = await run('--seeds', '1')
  const second = await run('--seeds', '1')
  t.match(first.lines[0], /from seed \d+$/)
  t.not(first.lines[0], second.lines[0])
})

t.test('a failure: the transcript, the reason, and the command that shows it again', async t => {
  const { code, lines } = await run('--seeds', '100', '--from', '0', '--mutant', 'leak-dirty')
  t.equal(code, 1)
  const failed = lines.find(line => line.endsWith('FAILED')) ?? ''
  const seed = /^seed (\d+)/.exec(failed)?.[1] ?? ''
  t.match(lines.join('\n'), /fits nowhere/)
  t.ok(lines.some(line => /^ *\d+\.\d{3} {2}n1 +decide/.test(line)))
  const command = lines.at(-1) ?? ''
  t.equal(command, `replay: npm run simulate -- --scenario ${toyFile} --seed ${seed} --mutant leak-dirty`)
  const replayed = await run('--seed', seed, '--mutant', 'leak-dirty')
  t.equal(replayed.code, 1)
  t.same(replayed.lines, lines.slice(lines.indexOf(failed)), 'the same lines')
})

t.test('asked for all, it says how many failed in which way, most frequent first', async t => {
  const { code, lines } = await run('--seeds', '60', '--from', '0', '--mutant', 'pass-on-early', '--all')
  t.equal(code, 1)
  t.match(lines[1], /^60 runs/)
  const failed = Number(/^(\d+) FAILED$/.exec(lines[2] ?? '')?.[1])
  const kinds = lines.slice(3).map(line => /^(\d+) x .*\(seeds (\d+)/.exec(line))
  const counts = kinds.map(kind => Number(kind?.[1]))
  t.equal(
    counts.reduce((sum, count) => sum + count, 0),
    failed,
  )
  t.same(
    counts,
    [...counts].sort((a, b) => b - a),
  )
  const replayed = await run('--seed', kinds[0]?.[2] ?? '', '--mutant', 'pass-on-early')
  t.equal(replayed.code, 1)
})

t.test('one seed is run twice, to see that it is the same', async t => {
  const first = await run('--seed', '5')
  t.equal(first.code, 0)
  t.match(first.lines, [/^seed 5 passed: \d+ events, \d+ virtual ms, [0-9a-f]{32}$/])
  t.same((await run('--seed', '5')).lines, first.lines)
})

t.test('a failing run can be kept, small, and catches its variant from then on', async t => {
  const folder = t.testdir({})
  const file = join(folder, 'kept.json')
  const failed = await run('--seeds', '100', '--from', '0', '--mutant', 'no-sync', '--keep', file)
  t.equal(failed.code, 1)
  t.match(failed.lines.at(-1), /^kept: .*kept\.json, \d+ of \d+ actions$/)
  t.match(JSON.parse(readFileSync(file, 'utf8')), { scenario: 'toy', catches: ['no-sync'] })
  const judged = await run('--schedule', file)
  t.same(judged, { code: 0, lines: [`${file}: ok`] })
  const replayed = await run('--schedule', file, '--mutant', 'no-sync')
  t.equal(replayed.code, 1)
  t.match(
    replayed.lines.at(-1),
    `replay: npm run simulate -- --scenario ${toyFile} --schedule ${file} --mutant no-sync`,
  )

  writeFileSync(file, readFileSync(file, 'utf8').replace('"no-sync"', '"pass-on-early"'))
  const outdated = await run('--schedule', file)
  t.equal(outdated.code, 1)
  t.match(outdated.lines, [/does not catch pass-on-early any more/])
})

t.test('the table of broken variants', async t => {
  const { code, lines } = await run('--mutants', '--from', '0', '--schedules', t.testdir({}))
  t.equal(code, 0)
  t.match(lines[0], /6 broken variants/)
  t.match(lines[1], /^variant +rule that is broken +seeds until caught +time$/)
  t.match(lines[2], /^answer-early .* +\d+ +[\d.]+ s$/)
  t.equal(lines.at(-1), 'all caught')
})

t.test('what does not fit is refused before anything runs', async t => {
  await t.rejects(run('--mutant', 'unheard-of'), /unheard-of is none of: answer-early/)
  const file = join(t.testdir({}), 'x.json')
  writeFileSync(file, '{"scenario":"chain","note":"x","seed":1,"actions":[]}')
  await t.rejects(run('--schedule', file), /is of the scenario chain/)
})

t.test('the command: exit codes, threads, and errors on standard error', async t => {
  const front = fileURLToPath(new URL('../../../src/lab/simulator/simulate.ts', import.meta.url))
  const start = (...options: string[]) =>
    new Promise<{ code: number; out: string; err: string }>(resolve => {
      execFile(
        process.execPath,
        ['--import', import.meta.resolve('tsx'), front, '--scenario', toyFile, ...options],
        (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
      )
    })
  const [good, bad, usage, range, help, missing] = await Promise.all([
    start('--seeds', '40'),
    start('--seeds', '100', '--from', '0', '--mutant', 'no-order', '--jobs', '2'),
    start('--nonsense'),
    start('--seeds', '0'),
    start('--help'),
    start('--schedule', '/nowhere.json'),
  ])
  t.match(good, { code: 0, out: /all passed/, err: '' })
  t.match(bad, { code: 1, out: /FAILED[\s\S]*replay: npm run simulate/ })
  t.match(usage, { code: 2, err: /nonsense/ })
  t.match(range, { code: 2, err: /An integer from 1/ })
  t.match(help, { code: 0, out: /--mutants/ })
  t.match(missing, { code: 2, err: /nowhere\.json/ })
})
