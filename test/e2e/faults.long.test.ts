import t from 'tap'
import { runFaults } from './faults.ts'

// Processes that start, settle and come back take their time on a machine that is shared.
t.setTimeout(600_000)

t.test('what clients are told is linearizable, whatever happens to five nodes', async t => {
  const result = await runFaults({ seconds: 20, seed: 1, lastsMsMax: 3_000, say: line => t.comment(line) })
  t.comment(JSON.stringify(result))
  t.ok(result.answered > 50, `${result.answered} operations were answered`)
  t.ok(result.files > 0, `${result.files} files are the same at every node`)
  const seen = Object.values(result.faults).reduce((sum, one) => sum + one.seen, 0)
  t.ok(seen > 0, `${seen} faults were seen to act`)
})
