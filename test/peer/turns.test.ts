import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { drawName, TURNS_WINDOW, Turns } from '../../src/peer/turns.ts'

const sender = 'a'.repeat(32)

t.test('each turn of a sender is taken once, in whatever order they come', async t => {
  const turns = new Turns(realEnv())
  const take = (number: number, of = sender) => turns.take(turns.start, `${of}.${number}`)
  for (const number of [1, 3, 2, 40, 39, 7]) t.equal(take(number), 'first', `${number}`)
  for (const number of [1, 2, 3, 7, 39, 40]) t.equal(take(number), 'again', `${number}`)
  t.equal(take(1, 'b'.repeat(32)), 'first', 'the turns of another sender are its own')
  t.equal(take(TURNS_WINDOW + 40), 'first')
  t.equal(take(TURNS_WINDOW + 39), 'first')
  t.equal(take(41), 'first', 'one that was overtaken by as many as the window has')
  t.equal(take(40), 'again', 'and one more is too late, whether it came or not')
  t.equal(take(10 * TURNS_WINDOW), 'first')
  for (const number of [9 * TURNS_WINDOW + 1, 10 * TURNS_WINDOW - 1]) {
    t.equal(take(number), 'first')
    t.equal(take(number), 'again')
  }
})

t.test('what is no turn is refused', async t => {
  const turns = new Turns(realEnv())
  for (const text of ['', '1', `${sender}.`, `${sender}.x`, `${sender}.-1`, `${sender}.0`, `.${1}`])
    t.equal(turns.take(turns.start, text), 'again', text)
  t.equal(turns.take(new Turns(realEnv()).start, `${sender}.1`), 'elsewhere')
})

t.test('when there are too many senders to remember, what was captured counts nowhere any more', async t => {
  const turns = new Turns(realEnv(), { sendersMax: 2 })
  const before = turns.start
  for (const name of ['a', 'b']) t.equal(turns.take(before, `${name.repeat(32)}.1`), 'first')
  t.equal(turns.take(before, `${'c'.repeat(32)}.1`), 'elsewhere')
  t.not(turns.start, before)
  t.equal(turns.take(before, `${sender}.1`), 'elsewhere')
  t.equal(turns.take(turns.start, `${'c'.repeat(32)}.1`), 'first')
  t.match(drawName(realEnv().randomness), /^[0-9a-f]{32}$/)
})
