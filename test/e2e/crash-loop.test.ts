import t from 'tap'
import { runCrashLoop } from './crash-loop.ts'

/** `npm run crash-loop` does many more. */
const ROUNDS = 5

t.test('what was answered survives kill -9, and nothing else is left of a crash', async t => {
  let rounds = 0
  const { answered } = await runCrashLoop({
    rounds: ROUNDS,
    dataDirectory: t.testdir(),
    onRound: round => {
      rounds++
      t.comment(JSON.stringify(round))
    },
  })
  t.equal(rounds, ROUNDS)
  t.ok(answered > ROUNDS * 8, `${answered} answered writes`)
})
