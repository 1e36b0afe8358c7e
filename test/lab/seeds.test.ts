import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { scenario } from '../../src/lab/simulator/chain-scenario.ts'
import { judgeSchedule, readSchedules, SCHEDULES_FOLDER } from '../../src/lab/simulator/kept-schedules.ts'

// Few enough for every `npm test`; .ci/run goes on with 2,000 others.
const FRESH_SEEDS = process.env.ALTERED_CHORD_SEEDS ?? '20'

// Thousands of seeds take minutes on a busy machine.
t.setTimeout(30 * 60 * 1000)

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test(`${FRESH_SEEDS} fresh seeds, drawn anew in each run, find nothing`, async t => {
  const options = ['--import', 'tsx', 'src/lab/simulator/simulate.ts', '--seeds', FRESH_SEEDS, '--jobs', '2']
  const { code, out } = await new Promise<{ code: number; out: string }>(resolve => {
    execFile(process.execPath, options, { cwd: root, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), out: `${stdout}${stderr}` }),
    )
  })
  for (const line of out.trimEnd().split('\n')) t.comment(line)
  t.equal(code, 0, 'the exit code')
})

t.test('every kept schedule still does what it is kept for', async t => {
  for (const kept of readSchedules(`${root}${SCHEDULES_FOLDER}`, scenario.name)) {
    t.same(await judgeSchedule(scenario, kept), [], kept.schedule.note)
  }
})
