import { fileURLToPath } from 'node:url'
import t from 'tap'
import { scenario } from '../../src/lab/simulator/chain-scenario.ts'
import { judgeSchedule, readSchedules, SCHEDULES_FOLDER } from '../../src/lab/simulator/kept-schedules.ts'

t.setTimeout(10 * 60 * 1000)

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('every kept schedule still does what it is kept for', async t => {
  for (const kept of readSchedules(`${root}${SCHEDULES_FOLDER}`, scenario.name)) {
    t.same(await judgeSchedule(scenario, kept), [], kept.schedule.note)
  }
})
