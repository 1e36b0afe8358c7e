import t from 'tap'
import {
  formatSchedule,
  type MutantName,
  parseSchedule,
  type Schedule,
} from '../../../src/lab/simulator/scenario.ts'

const kept: Schedule = {
  scenario: 'toy',
  note: 'the backup crashes between store and forward',
  seed: 7,
  actions: [
    { atMs: 1, kind: 'crash', node: 'n1' },
    { atMs: 1, kind: 'cut', from: 'n1', to: 'n2' },
    { atMs: 20.5, kind: 'restart', node: 'n1' },
  ],
  world: { nodes: 3 },
  catches: ['acknowledge-early' as MutantName],
}

t.test('a kept schedule reads back as it was written', async t => {
  const text = formatSchedule(kept)
  t.same(parseSchedule(text), kept)
  t.equal(text.split('\n').filter(line => line.includes('atMs')).length, 3, 'one action a line')
  t.same(parseSchedule(formatSchedule({ ...kept, actions: [] })).actions, [])
})

t.test('a malformed schedule is refused with what is wrong', async t => {
  const faults: [object, RegExp][] = [
    [{ ...kept, scenario: 1 }, /names its scenario/],
    [{ ...kept, note: undefined }, /why it is kept/],
    [{ ...kept, seed: 1.5 }, /integer/],
    [{ ...kept, seed: -1 }, /integer/],
    [{ ...kept, actions: undefined }, /list of actions/],
    [{ ...kept, actions: [{ atMs: 1 }] }, /`kind` and `atMs`/],
    [{ ...kept, actions: [...kept.actions].reverse() }, /order of their times/],
    [{ ...kept, catches: [1] }, /list of names/],
    [{ ...kept, world: ['three nodes'] }, /`world` of a schedule is an object/],
  ]
  for (const [value, message] of faults) {
    t.throws(() => parseSchedule(JSON.stringify(value)), { name: 'TypeError', message })
  }
})
