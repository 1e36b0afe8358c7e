import t from 'tap'
import type { Action, Answer } from '../../../src/lab/simulator/history.ts'
import { ABSENT, IMPOSSIBLE, RegisterModel } from '../../../src/lab/simulator/register-model.ts'
import {
  create,
  created,
  exists,
  get,
  history,
  type Line,
  missing,
  ok,
  put,
  remove,
  removeIf,
  replace,
  replaced,
  saw,
  stale,
  taken,
  unknown,
  wrote,
} from './histories.ts'

/** What stands: v1 under e1 (state 1), v2 whose etag nobody was told (state 2). */
const known: Line[] = [
  ['c', 0, 1, put('v1'), wrote('e1')],
  ['c', 2, 3, put('v2'), ok],
]
const V1 = 1
const V2 = 2
const NEW = 3

t.test('each answer fits in some states and leads to one', async t => {
  const no = IMPOSSIBLE
  const unseen = known.length + 2
  const table: [Action, Answer, number, number, number][] = [
    [get, missing, ABSENT, no, no],
    [get, saw('v1'), no, V1, no],
    [exists, ok, no, V1, V2],
    [exists, missing, ABSENT, no, no],
    [put('v3'), ok, NEW, NEW, NEW],
    [put('v3'), created, NEW, no, no],
    [put('v3'), replaced, no, NEW, NEW],
    [put('v3'), unknown, unseen, unseen, unseen],
    [create('v3'), ok, NEW, no, no],
    [create('v3'), taken, no, V1, V2],
    [create('v3'), unknown, unseen, no, no],
    [replace('e1', 'v3'), ok, no, NEW, no],
    [replace('e1', 'v3'), stale, ABSENT, no, V2],
    [replace('e1', 'v3'), missing, ABSENT, no, no],
    [replace('e1', 'v3'), unknown, no, unseen, no],
    [replace('e9', 'v3'), ok, no, no, NEW],
    [replace('e9', 'v3'), stale, ABSENT, V1, V2],
    [remove, ok, no, ABSENT, ABSENT],
    [remove, missing, ABSENT, no, no],
    [remove, unknown, no, ABSENT, ABSENT],
    [removeIf('e1'), ok, no, ABSENT, no],
    [removeIf('e1'), stale, ABSENT, no, V2],
  ]
  for (const [action, answer, absent, v1, v2] of table) {
    const operations = history([...known, ['c', 4, answer === unknown ? undefined : 5, action, answer]])
    const model = new RegisterModel(operations)
    const operation = operations[2] as (typeof operations)[0]
    t.same(
      [ABSENT, V1, V2].map(state => model.step(operation, state)),
      [absent, v1, v2],
      `${JSON.stringify(action)} ${JSON.stringify(answer)}`,
    )
  }
})

t.test('unknown writes that nobody saw are alike, one that somebody saw is not', async t => {
  const operations = history([
    ['c1', 0, undefined, put('v1'), unknown],
    ['c2', 0, undefined, put('v2'), unknown],
    ['c3', 0, undefined, put('v3'), unknown],
    ['c4', 0, undefined, create('v4'), unknown],
    ['c5', 1, 2, get, saw('v3')],
  ])
  const model = new RegisterModel(operations)
  const classes = operations.slice(0, 4).map((operation, index) => model.classOf(operation, index))
  t.equal(classes[0], classes[1])
  t.equal(new Set(classes).size, 3)
  const states = operations.slice(0, 3).map(operation => model.step(operation, ABSENT))
  t.equal(states[0], states[1])
  t.not(states[0], states[2])
})

t.test('answers that are wrong in any order are found without a search', async t => {
  const conflicts: [string, Line[], RegExp][] = [
    ['a value from nowhere', [['c', 0, 1, get, saw('v9')]], /nobody wrote v9/],
    [
      'one etag for two versions',
      [...known, ['c', 4, 5, get, saw('v2', 'e1')]],
      /the etag e1 names two versions/,
    ],
    ['two etags for one version', [...known, ['c', 4, 5, get, saw('v1', 'e2')]], /two etags, e1 and e2/],
  ]
  for (const [name, lines, reason] of conflicts) {
    const model = new RegisterModel(history(lines))
    t.match(model.conflict?.reason, reason, name)
  }
  t.equal(new RegisterModel(history(known)).conflict, undefined)
})

t.test('some answers say in which state they were given', async t => {
  const lines: Line[] = [
    ...known,
    ['c', 4, 5, get, saw('v2')],
    ['c', 4, 5, removeIf('e1'), ok],
    ['c', 4, 5, removeIf('e1'), stale],
    ['c', 4, 5, removeIf('e9'), ok],
    ['c', 4, 5, exists, ok],
  ]
  const operations = history(lines)
  const model = new RegisterModel(operations)
  t.same(
    operations.slice(2).map(operation => model.onlyState(operation)),
    [V2, V1, undefined, undefined, undefined],
  )
})
