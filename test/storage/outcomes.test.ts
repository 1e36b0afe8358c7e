import t from 'tap'
import { checkKey, outcomeOf, replayedAnswer, tooManyOutcomes } from '../../src/storage/outcomes.ts'

const idempotency = { key: 'k', fingerprint: 'f', answer: () => 'answered' }
const committed = { record: undefined, previous: undefined }

t.test('the same request replays its answer, another one is refused', async t => {
  const outcome = outcomeOf(idempotency, committed)
  t.same(outcome, { fingerprint: 'f', answer: 'answered' })
  t.equal(replayedAnswer(outcome, idempotency), 'answered')
  t.throws(() => replayedAnswer(outcome, { ...idempotency, fingerprint: 'g' }), {
    code: 'IDEMPOTENCY_KEY_REUSED',
  })
})

t.test('bounds of keys and answers', async t => {
  t.equal(checkKey('x'.repeat(255)).length, 255)
  for (const key of ['', 'x'.repeat(256), 'é'.repeat(128)]) t.throws(() => checkKey(key), TypeError)
  t.equal(outcomeOf({ ...idempotency, answer: () => 'x'.repeat(4096) }, committed).answer.length, 4096)
  t.throws(() => outcomeOf({ ...idempotency, answer: () => 'x'.repeat(4097) }, committed), TypeError)
  t.match(tooManyOutcomes(), { code: 'OVERLOADED', retryable: true, retryAfterSeconds: 60 })
})
