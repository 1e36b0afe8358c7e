import { test } from 'tap'
import { resultsPage } from '../../bench/report.ts'

const DATE = new Date('2026-01-02T03:04:05Z')
const row = (what: string) => ({ what, ours: '1/s' })

test('each run writes its part of the results and leaves the other one', async t => {
  const run = (part: 'alone' | 'peers', what: string, node = 'v20.1.2') => ({
    ...{ part, node },
    machine: ['two cores'],
    date: DATE,
    rows: [row(what)],
  })
  const alone = resultsPage('', run('alone', 'a get'))
  t.match(
    alone,
    /^# Results[\s\S]*\n## Ours and a baseline, Node 20\n\nDate: 2026-01-02 03:04 UTC\n\n- two cores\n\n[\s\S]*\| a get \|/,
  )
  const both = resultsPage(alone, run('peers', 'a put'))
  t.match(both, /\| a get \|[\s\S]*\n\n## Beside other programs, Node 20\n[\s\S]*\| a put \|/)
  const again = resultsPage(both, run('alone', 'another get'))
  t.match(again, /\| another get \|[\s\S]*\n\n## Beside other programs, Node 20\n[\s\S]*\| a put \|/)
  t.notMatch(again, /\| a get \|/)
  t.equal(resultsPage(again, run('peers', 'a put')), again, 'the same run again changes nothing')
  const newer = resultsPage(again, run('alone', 'a faster get', 'v24.0.0'))
  const parts = [
    'a baseline, Node 20',
    '\\| another get',
    'a baseline, Node 24',
    '\\| a faster get',
    'programs, Node 20',
  ]
  t.match(newer, new RegExp(parts.join('[\\s\\S]*')), 'each release of Node has its own')
})
