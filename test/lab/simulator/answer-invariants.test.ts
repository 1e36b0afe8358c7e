import t from 'tap'
import { AnswerInvariants } from '../../../src/lab/simulator/answer-invariants.ts'
import { absentRecord, type IdempotencyKey } from '../../../src/replication/chain/chain-record.ts'
import type { Outcome } from '../../../src/replication/chain/machine-state.ts'
import type { ClientRequest } from '../../../src/replication/entry/requests.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'

const path = 'a' as PathName
const version = (seq: number) => ({ epoch: 1, seq })
const recordAt = (seq: number) => absentRecord(path, identifierOfPath(path), version(seq))
const key: IdempotencyKey = { key: 'k', fingerprint: 'f', expiresAtMs: 0 }
const remove = (): ClientRequest => ({ kind: 'remove', path, condition: 'exists', key })
const done = (seq: number): Outcome => ({ kind: 'done', version: version(seq) })

function bench() {
  const world = { acknowledged: 1, forced: false }
  const answers = new AnswerInvariants({
    acknowledged: () => version(world.acknowledged),
    isForced: () => world.forced,
  })
  return { world, answers }
}

t.test(
  'a read shows what was acknowledged before it began, and need not show what was acknowledged since',
  async t => {
    const { world, answers } = bench()
    const early: ClientRequest = { kind: 'get', path }
    answers.asked(early)
    world.acknowledged = 2
    const late: ClientRequest = { kind: 'get', path }
    answers.asked(late)
    const shown = { kind: 'value', record: recordAt(1) } as const
    t.doesNotThrow(() => answers.answered(early, shown))
    t.throws(() => answers.answered(late, shown), /shows 1.1 of a, and 1.2 was acknowledged before/)
    world.forced = true
    t.doesNotThrow(() => answers.answered(late, shown))
  },
)

t.test('a read at once shows what is acknowledged by then', async t => {
  const { world, answers } = bench()
  t.doesNotThrow(() => answers.readAtOnce(path, recordAt(1)))
  world.acknowledged = 2
  t.throws(() => answers.readAtOnce(path, recordAt(1)), /acknowledged before/)
})

t.test('a key has one version or one refusal for good, at one path', async t => {
  const refused: Outcome = { kind: 'failed', reason: 'condition' }
  for (const [first, second] of [
    [done(2), done(3)],
    [done(2), refused],
    [refused, done(2)],
  ] as const) {
    const { answers } = bench()
    answers.answered(remove(), first)
    answers.answered(remove(), first)
    answers.answered(remove(), { kind: 'indeterminate' })
    answers.answered({ ...remove(), path: 'b' as PathName } as ClientRequest, second)
    t.throws(() => answers.answered(remove(), second), /The key k of a was/)
  }
})
