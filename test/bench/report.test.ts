import { test } from 'tap'
import { resultsPage } from '../../bench/report.ts'

const DATE = new Date('2026-01-02T03:04:05Z')
const row = (what: string) => ({ what, ours: '1/s' })

test('each run writes its part of the results and leaves the other one', async t => {
  const run = (part: 'alone' | 'peers', what: string) => ({
    part,
    machine: ['two cores'],
    date: DATE,
    rows: [row(what)],
  })
  const alone = resultsPage('', run('alone', 'a get'))
  t.match(
    alone,
    /^# Results[\s\S]*\n## Ours and a baseline\n\nDate: 2026-01-02 03:04 UTC\n\n- two cores\n\n[\s\S]*\| a get \|/,
  )
  const both = resultsPage(alone, run('peers', 'a put'))
  t.match(both, /\| a get \|[\s\S]*\n\n## Beside other programs\n[\s\S]*\| a put \|/)
  const again = resultsPage(both, run('alone', 'another get'))
  t.match(again, /\| another get \|[\s\S]*\n\n## Beside other programs\n[\s\S]*\| a put \|/)
  t.notMatch(again, /\| a get \|/)
  t.equal(resultsPage(again, run('peers', 'a put')), again, 'the same run again changes nothing')
})
