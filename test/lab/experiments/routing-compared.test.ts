import t from 'tap'
import { runMassCrash } from '../../../src/lab/experiments/gossip-simulated.ts'
import {
  type RoutingScenario,
  runRouting,
  type System,
} from '../../../src/lab/experiments/routing-compared.ts'
import {
  massCrashScenario,
  massCrashTable,
  routingPage,
  routingScenarios,
  tableOf,
} from '../../../src/lab/experiments/routing-report.ts'

const NODES = 64

function scenario(system: System, change: Partial<RoutingScenario> = {}): RoutingScenario {
  return {
    ...{ system, nodes: NODES, seed: 1, lifetimeSeconds: undefined, warmSeconds: 30, measuredSeconds: 10 },
    ...change,
  }
}

t.test('without churn every lookup finds the owner, and nobody waits for anybody', async t => {
  const path = await runRouting(scenario('path learning'))
  const chord = await runRouting(scenario('Chord'))
  for (const { success, timeouts, stale } of [path, chord]) t.same([success, timeouts, stale], [1, 0, 0])
  t.ok(path.hops <= 1.02, `path learning comes to one hop: ${path.hops}`)
  const half = Math.log2(NODES) / 2
  t.ok(Math.abs(chord.hops - half) < 0.5, `Chord takes half of log2 N: ${chord.hops}`)
  t.equal(path.remembered, NODES, 'who learns from paths comes to know everybody')
  t.ok(chord.remembered <= 4 * Math.log2(NODES), `fingers and successors are O(log N): ${chord.remembered}`)
  t.equal(path.backgroundBytes, 0, 'path learning has nothing in the background')
  t.ok(chord.backgroundBytes > 0)
  t.same(await runRouting(scenario('Chord')), chord, 'the same seed, the same figures')
})

t.test('with churn path learning still finds every owner, with fewer time-outs than Chord', async t => {
  const churn = { lifetimeSeconds: 300, nodes: 100 }
  const path = await runRouting(scenario('path learning', churn))
  const chord = await runRouting(scenario('Chord', churn))
  t.equal(path.success, 1)
  t.ok(chord.success > 0.8 && chord.success < 1, `${chord.success}`)
  t.ok(path.timeouts < chord.timeouts, `${path.timeouts} and ${chord.timeouts}`)
  t.ok(path.hops < 1.1, `${path.hops}`)
  t.ok(path.backgroundBytes > 0, 'a join costs something')
})

t.test(
  'Kelips comes close to one hop, knows a part of the network, and its background traffic does not grow with it',
  async t => {
    const small = await runRouting(scenario('Kelips', { nodes: 100 }))
    const large = await runRouting(scenario('Kelips', { nodes: 300 }))
    for (const { hops, success } of [small, large]) {
      t.ok(hops <= 1.1, `${hops}`)
      t.ok(success > 0.95, `${success}`)
    }
    t.ok(large.remembered < 0.6 * 300, `${large.remembered}`)
    t.ok(large.remembered < 2 * small.remembered, 'three times the nodes are not three times the memory')
    t.ok(
      large.backgroundBytes < 1.5 * small.backgroundBytes,
      `${small.backgroundBytes} and ${large.backgroundBytes}`,
    )
  },
)

t.test('the survivors of a half come to know all of their groups who are gone', async t => {
  const crash = massCrashScenario(90)
  const figure = runMassCrash(crash, 1 / 2)
  t.ok(figure.halfPeriods > crash.failPeriods, 'nobody is given up before T_fail')
  t.ok(figure.halfPeriods <= figure.nearlyAllPeriods && figure.nearlyAllPeriods <= figure.allPeriods)
  t.equal(figure.knownShare.at(-1), 1)
  t.equal(figure.livingFailed, 0)
  t.match(massCrashTable(crash, figure).at(-1), /^\| 90 \| 30 \| \d+ s \| \d+ s \| \d+ s \| 0 \|$/)
  const never = { ...figure, allPeriods: Number.NaN }
  t.match(massCrashTable(crash, never).at(-1), / never \| 0 \|$/)
})

t.test('the page has a row for each network, and its plots', async t => {
  const runs = routingScenarios([1_000, 100, 10_000])
  const sized = (nodes: number) => runs.filter(run => run.nodes === nodes)
  t.same([sized(100).length, sized(1_000).length, sized(10_000).length], [18, 6, 4])
  const figure = {
    ...{ hops: 1.004, success: 0.9994, timeouts: 0.0123, remembered: 1234.4, stale: 0.011 },
    ...{ carriedBytes: 900, backgroundBytes: 0 },
  }
  const results = runs.map(scenario => ({ scenario, figure }))
  const lines = tableOf(results)
  t.equal(lines.length, 2 + 16)
  t.equal(
    lines.find(line => line.startsWith('| 1,000 | 600 s | path learning')),
    '| 1,000 | 600 s | path learning | 1.00 | 99.9 % | 0.012 | 1,234 | 1.1 % | 900 | 0 |',
  )
  const crash = { scenario: massCrashScenario(), figure: runMassCrash(massCrashScenario(30), 1 / 2) }
  const files = new Map(routingPage(results, crash, 'the command'))
  t.match(files.get('routing-compared.md'), /written by `the command`/)
  const plots = [...files].filter(([name]) => name.endsWith('.svg'))
  t.equal(plots.length, 4)
  for (const [name, text] of plots) {
    t.match(text, /^<svg/)
    t.ok(files.get('routing-compared.md')?.includes(`(${name})`), `${name} is shown`)
  }
})
