import t from 'tap'
import { runPauses } from './pauses.ts'

t.setTimeout(300_000)

t.test('nothing that was there is copied again for a node that only stood still', async t => {
  const result = await runPauses({ times: 8, pauseMs: 6_000, files: 200, say: line => t.comment(line) })
  t.comment(JSON.stringify(result))
  t.ok(result.written > 100, `${result.written} writes were answered meanwhile`)
  t.ok(result.first.records >= 200, 'each has taken the place of another one once')
  t.equal(result.copiedAgain, 0, `${result.later.records} records, ${result.later.bytes} bytes`)
})
