import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { MutantName, RunResult, Scenario } from '../../../src/lab/simulator/scenario.ts'
import {
  type Batch,
  type BatchRunner,
  loadScenario,
  localRunner,
  runBatch,
  runOnce,
  runSeeds,
  threadRunner,
} from '../../../src/lab/simulator/seed-pool.ts'
import { scenario as toy } from './toy-scenario.ts'

const toyFile = fileURLToPath(new URL('./toy-scenario.ts', import.meta.url))

/** Fails at the seeds given. */
function failingAt(...seeds: number[]): Scenario & { readonly ran: number[] } {
  const ran: number[] = []
  return {
    name: 'failing',
    mutants: [],
    ran,
    run(seed): RunResult {
      ran.push(seed)
      return { ok: !seeds.includes(seed), failure: 'asked for', steps: 10, virtualMs: 2, digest: `${seed}` }
    },
  }
}

t.test('a batch runs its seeds in order and ends at the first that fails', async t => {
  const good = failingAt()
  t.same(await runBatch(good, { firstSeed: 5, count: 3 }), { runs: 3, steps: 30, virtualMs: 6, failures: [] })
  t.same(good.ran, [5, 6, 7])
  const bad = failingAt(6)
  t.match(await runBatch(bad, { firstSeed: 5, count: 3 }), { runs: 2, steps: 20, failures: [{ seed: 6 }] })
  t.same(bad.ran, [5, 6])
})

t.test('what a scenario throws is a failure, with its stack', async t => {
  const scenario: Scenario = {
    ...failingAt(),
    run() {
      throw new TypeError('an assertion')
    },
  }
  const lines: string[] = []
  const result = await runOnce(scenario, 1, { transcript: line => lines.push(line) })
  t.match(result, { ok: false, failure: /an assertion\n.*at / })
  t.match(lines.join('\n'), /an assertion/)
})

t.test('all seeds run once, however many batches are under way', async t => {
  for (const jobs of [1, 2, 5]) {
    const scenario = failingAt()
    const seen: number[] = []
    const result = await runSeeds(localRunner(scenario), {
      firstSeed: 100,
      count: 70,
      jobs,
      progress: runs => seen.push(runs),
    })
    t.same(result, { runs: 70, steps: 700, virtualMs: 140, failures: [] })
    t.same(
      scenario.ran.sort((a, b) => a - b),
      Array.from({ length: 70 }, (_, index) => 100 + index),
    )
    t.equal(seen.at(-1), 70)
  }
})

t.test('the first failure is the one with the lowest seed, though another is found before', async t => {
  const scenario = failingAt(110, 130)
  const finish: (() => void)[] = []
  const slow: BatchRunner = {
    run: (batch: Batch) =>
      new Promise(resolve => {
        const end = () => resolve(runBatch(scenario, batch))
        if (batch.firstSeed === 100) finish.push(end)
        else {
          end()
          setImmediate(() => finish.pop()?.())
        }
      }),
    close: async () => {},
  }
  const result = await runSeeds(slow, { firstSeed: 100, count: 10_000, jobs: 2 })
  t.match(result, { runs: 11, failures: [{ seed: 110 }] })
  t.ok(scenario.ran.length < 100, 'and the rest is not run')
})

t.test('asked for all, it goes on after a failure', async t => {
  const scenario = failingAt(101, 102, 130)
  const result = await runSeeds(localRunner(scenario), { firstSeed: 100, count: 40, jobs: 2, all: true })
  t.equal(result.runs, 40)
  t.same(
    result.failures.map(({ seed }) => seed),
    [101, 102, 130],
  )
})

t.test('threads find what one thread finds', async t => {
  const runner = threadRunner(toyFile, 2)
  t.teardown(() => runner.close())
  const mutant = 'leak-dirty' as MutantName
  const batch = { firstSeed: 0, count: 100, mutant, jobs: 3 }
  const threaded = await runSeeds(runner, batch)
  t.equal(threaded.failures.length, 1)
  t.same(threaded, await runSeeds(localRunner(toy), { ...batch, jobs: 1 }))
  t.match(await runSeeds(runner, { firstSeed: 0, count: 40, jobs: 2 }), { runs: 40, failures: [] })
})

t.test('a thread whose work fails to start is an error, not a silence', async t => {
  const runner = threadRunner('/nowhere/scenario.ts', 1)
  t.teardown(() => runner.close())
  await t.rejects(runner.run({ firstSeed: 0, count: 1 }))
})

t.test('a scenario is loaded from its file', async t => {
  t.equal((await loadScenario(toyFile)).name, 'toy')
  const file = `${t.testdir({ 'empty.js': 'export const other = 1' })}/empty.js`
  await t.rejects(loadScenario(file), /exports no scenario/)
})
