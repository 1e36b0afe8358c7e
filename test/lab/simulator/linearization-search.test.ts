import t from 'tap'
import { searchLinearization } from '../../../src/lab/simulator/linearization-search.ts'
import { RegisterModel } from '../../../src/lab/simulator/register-model.ts'
import { focusesOf } from '../../../src/lab/simulator/trash-focus.ts'
import {
  BAD,
  create,
  exists,
  GOOD,
  get,
  history,
  type Line,
  missing,
  ok,
  put,
  remove,
  saw,
  unknown,
} from './histories.ts'

const verdict = (lines: readonly Line[], configurationsMax: number) => {
  const operations = history(lines).sort((a, b) => a.invokedAtMs - b.invokedAtMs)
  const focuses = [undefined, ...focusesOf(operations)]
  const verdicts = focuses.map(focus =>
    searchLinearization(new RegisterModel(operations, focus), configurationsMax),
  )
  return verdicts.find(each => each !== 'linearizable') ?? 'linearizable'
}

t.test('the known histories are decided within a hundred configurations', async t => {
  for (const [name, lines] of GOOD) t.equal(verdict(lines, 100), 'linearizable', name)
  for (const [name, lines] of BAD) t.equal(verdict(lines, 100), 'not linearizable', name)
})

t.test('reads cost no configuration', async t => {
  const lines: Line[] = [['w', 0, 1, create('v1'), ok]]
  for (let reader = 0; reader < 200; reader++) lines.push([`r${reader}`, 2, 100, get, saw('v1')])
  t.equal(verdict(lines, 1), 'linearizable')
})

t.test('unknown writes that do the same are not tried in every order', async t => {
  const lines: Line[] = []
  for (let writer = 0; writer < 40; writer++)
    lines.push([`w${writer}`, writer, undefined, put(`v${writer}`), unknown])
  for (let round = 0; round < 40; round++) {
    lines.push(['c', 100 + 10 * round, 101 + 10 * round, remove, ok])
    lines.push(['c', 102 + 10 * round, 103 + 10 * round, exists, missing])
  }
  t.equal(verdict(lines, 1000), 'linearizable', 'each explains one removal')
  t.equal(verdict([...lines, ['c', 900, 901, remove, ok]], 1000), 'not linearizable', 'there is one too few')
})

t.test('a state is not left before everybody was served who saw it', async t => {
  const lines: Line[] = []
  for (let writer = 0; writer < 12; writer++) {
    lines.push([`w${writer}`, 0, 1000, put(`v${writer}`), ok])
    lines.push([`r${writer}`, 10 + writer, 10.5 + writer, get, saw(`v${11 - writer}`)])
  }
  t.equal(verdict(lines, 40), 'linearizable')
})

t.test('the limit is kept', async t => {
  const lines: Line[] = []
  for (let writer = 0; writer < 12; writer++) lines.push([`w${writer}`, 0, 1000, put(`v${writer}`), ok])
  lines.push(['r', 1001, 1002, get, missing])
  t.equal(verdict(lines, 50), 'undecided')
  t.equal(verdict(lines, 200_000), 'not linearizable')
})
