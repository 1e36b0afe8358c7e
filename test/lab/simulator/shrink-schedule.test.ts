import t from 'tap'
import type { MutantName, NemesisAction, Scenario, Schedule } from '../../../src/lab/simulator/scenario.ts'
import { shrinkSchedule } from '../../../src/lab/simulator/shrink-schedule.ts'

/** Fails when a crash of n2 comes before a cut of n1; a variant fails at any wipe. */
function counting(): Scenario & { runs: number } {
  return {
    name: 'here',
    mutants: [],
    runs: 0,
    run(_seed, { schedule, mutant }) {
      this.runs++
      const actions = schedule?.actions ?? []
      const crash = actions.findIndex(({ kind, node }) => kind === 'crash' && node === 'n2')
      const cut = actions.findLastIndex(({ kind, node }) => kind === 'cut' && node === 'n1')
      const isBad =
        mutant === undefined ? crash >= 0 && crash < cut : actions.some(({ kind }) => kind === 'wipe')
      return { ok: !isBad, steps: 1, virtualMs: 1, digest: '' }
    },
  }
}

const actions: NemesisAction[] = []
for (let index = 0; index < 40; index++) {
  actions.push({
    atMs: index,
    kind: ['crash', 'cut', 'pause', 'wipe'][index % 4] ?? '',
    node: `n${(index % 3) + 1}`,
  })
}
const schedule: Schedule = { scenario: 'here', note: 'long', seed: 3, actions }

t.test('what the failure does not need is left out', async t => {
  const shrunk = await shrinkSchedule(counting(), schedule)
  t.match(shrunk.actions, [
    { kind: 'crash', node: 'n2' },
    { kind: 'cut', node: 'n1' },
  ])
  t.equal(shrunk.actions.length, 2)
  t.equal(shrunk.seed, 3)
  t.match((await shrinkSchedule(counting(), schedule, 'any' as MutantName)).actions, [{ kind: 'wipe' }])
})

t.test('a failure that needs no action keeps none', async t => {
  const always: Scenario = { ...counting(), run: () => ({ ok: false, steps: 1, virtualMs: 1, digest: '' }) }
  t.same((await shrinkSchedule(always, schedule)).actions, [])
})

t.test('it ends after its runs, with a schedule that still fails', async t => {
  const scenario = counting()
  const shrunk = await shrinkSchedule(scenario, schedule, undefined, 5)
  t.equal(scenario.runs, 5)
  t.equal((await scenario.run(3, { schedule: shrunk })).ok, false)
})
