import { join } from 'node:path'
import t from 'tap'
import {
  AIMED_SEEDS,
  isCaughtBy,
  judgeSchedule,
  readSchedule,
  readSchedules,
} from '../../../src/lab/simulator/kept-schedules.ts'
import {
  formatSchedule,
  type MutantName,
  type Scenario,
  type Schedule,
} from '../../../src/lab/simulator/scenario.ts'

const [early, late] = ['early', 'late'] as MutantName[] as [MutantName, MutantName]

/** `early` fails under a crash before 10 ms, `late` under one from then on; a wipe breaks everything. */
const scenario: Scenario = {
  name: 'here',
  mutants: [],
  run(_seed, { mutant, schedule }) {
    const actions = schedule?.actions ?? []
    const isBad = actions.some(
      ({ kind, atMs }) => kind === 'wipe' || (kind === 'crash' && mutant === (atMs < 10 ? early : late)),
    )
    return { ok: !isBad, ...(isBad ? { failure: 'bad' } : {}), steps: 1, virtualMs: 1, digest: '' }
  },
}

const schedule = (change: Partial<Schedule>): Schedule => ({
  scenario: 'here',
  note: 'a crash',
  seed: 1,
  actions: [{ atMs: 5, kind: 'crash' }],
  ...change,
})

t.test('the schedules of a scenario are read in the order of their names', async t => {
  const folder = t.testdir({
    'b.json': formatSchedule(schedule({ note: 'second' })),
    'a.json': formatSchedule(schedule({ note: 'first' })),
    'c.json': formatSchedule(schedule({ scenario: 'elsewhere' })),
    'README.md': 'no schedule',
  })
  t.same(
    readSchedules(folder, 'here').map(kept => kept.schedule.note),
    ['first', 'second'],
  )
  t.same(readSchedules(join(folder, 'nowhere'), 'here'), [])
})

t.test('a malformed file is named', async t => {
  const folder = t.testdir({ 'bad.json': '{', 'worse.json': '{}' })
  t.throws(() => readSchedule(join(folder, 'bad.json')), /bad\.json: /)
  t.throws(() => readSchedule(join(folder, 'worse.json')), /worse\.json: A schedule names its scenario/)
})

t.test('a kept schedule has to spare the unbroken system and to catch what it is kept for', async t => {
  const judge = async (change: Partial<Schedule>) =>
    judgeSchedule(scenario, { file: 'x.json', schedule: schedule(change) })
  t.same(await judge({}), [])
  t.same(await judge({ catches: [early] }), [])
  t.same(await judge({ catches: [early, late] }), ['it does not catch late any more'])
  t.same(await judge({ actions: [{ atMs: 1, kind: 'wipe' }] }), ['the unbroken system fails: bad'])
  t.equal(await isCaughtBy(scenario, schedule({}), early), true)
  t.equal(await isCaughtBy(scenario, schedule({}), late), false)
  const broken = schedule({ actions: [{ atMs: 1, kind: 'wipe' }] })
  t.equal(await isCaughtBy(scenario, broken, early), false, 'what fails without the variant too is no catch')
})

t.test('another delay may be needed to catch the variant, within a limit', async t => {
  const caughtAt = (lucky: number): Scenario => ({
    ...scenario,
    run: (seed, { mutant }) => ({
      ok: mutant === undefined || seed !== lucky,
      failure: 'bad',
      steps: 1,
      virtualMs: 1,
      digest: '',
    }),
  })
  t.equal(await isCaughtBy(caughtAt(1 + AIMED_SEEDS - 1), schedule({}), early), true)
  t.equal(await isCaughtBy(caughtAt(1 + AIMED_SEEDS), schedule({}), early), false)
})
