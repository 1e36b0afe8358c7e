import t from 'tap'
import {
  type GossipResult,
  gossipPage,
  gossipRuns,
  tablesOf,
} from '../../../src/lab/experiments/gossip-report.ts'

const figure = {
  ...{ firstPeriods: 20, middlePeriods: 21.5, lastPeriods: 25, suspected: 0.01, failed: 0 },
  ...{ bytesPerPeriod: 4_321.4, pairRounds: 5 },
}

const results = gossipRuns([1_000, 100, 10_000]).map((run): GossipResult => ({ ...run, figure }))

t.test('the networks: by size, the largest once, and by T_fail under each trouble', async t => {
  const sizes = gossipRuns([1_000, 100, 10_000]).filter(({ series }) => series === 'sizes')
  t.same(
    sizes.map(({ scenario }) => scenario.nodes),
    [100, 100, 100, 1_000, 1_000, 1_000, 10_000],
  )
  t.equal(new Set(results.map(({ series }) => series)).size, 5)
})

t.test('tables and plots', async t => {
  const lines = tablesOf(results)
  t.ok(lines.includes('| 1000 | 23.9 | 20.0 | 21.5 | 25.0 | 0.010 | 4,321 | 5.0 |'), lines.join('\n'))
  t.ok(lines.includes('| no trouble | 4 | 25.0 | 0.010 | 0.0 |'))
  const never = results.map(result => ({ ...result, figure: { ...figure, lastPeriods: Number.NaN } }))
  t.ok(tablesOf(never).includes('| no trouble | 4 | – | 0.010 | 0.0 |'), 'what never happens is a dash')
  const files = new Map(gossipPage(never, 'the command'))
  t.same([...files.keys()], ['README.md', 'detection.svg', 'false.svg', 'bytes.svg', 'rounds.svg'])
  t.match(files.get('README.md'), /written by `the command`/)
  for (const [name, text] of files) if (name.endsWith('.svg')) t.match(text, /^<svg/)
})
