import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

// Worlds that nobody has run before; .ci/run goes on with a fixed range.
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
