import t from 'tap'
import type { MutantName } from '../../../src/lab/simulator/scenario.ts'
import { replayCommand, TRANSCRIPT_LINES_MAX, Transcript } from '../../../src/lab/simulator/transcript.ts'

function transcript(isWanted = true) {
  const time = { ms: 0 }
  const lines: string[] = []
  const clock = { monotonicMs: () => time.ms }
  return {
    time,
    lines,
    notes: new Transcript({ clock }, isWanted ? { write: line => lines.push(line) } : {}),
  }
}

t.test('a failing run shows what touches the failure, in columns', async t => {
  const { time, lines, notes } = transcript()
  notes.note('c1', 'ask', ['a'], 'put v1')
  time.ms = 1.25
  notes.note('c2', 'ask', ['b'], 'put v2')
  notes.note('n1>n2', 'pass on', ['a', 'view 3'], () => '1.1\n= v1')
  time.ms = 1012.5
  notes.note('n2', 'crash', '*')
  time.ms = 1013
  notes.note('n3', 'elsewhere', ['view 4'])
  notes.tell({ reason: 'path a: lost\nsecond line', subjects: ['a'] })
  t.same(lines, [
    '   0.000  c1     ask      put v1',
    '   1.250  n1>n2  pass on  1.1 = v1',
    '1012.500  n2     crash',
    'path a: lost',
    'second line',
  ])
})

t.test('it can end at the moment of the failure, and be about everything', async t => {
  const { time, lines, notes } = transcript()
  notes.note('n1', 'first', ['a'])
  time.ms = 5
  notes.note('n1', 'second', ['b'])
  time.ms = 6
  notes.note('n1', 'third', ['a'])
  notes.tell({ reason: 'wrong', subjects: '*', untilMs: 5 })
  t.same(lines, ['0.000  n1  first', '5.000  n1  second', 'wrong'])
})

t.test('a line is readable: no quotation marks, short identifiers, and an end', async t => {
  const { lines, notes } = transcript()
  const identifier = 'd9ef331a0e7d944453fb451644c4ef508c837e84'
  notes.note('n1', 'install', '*', JSON.stringify({ lo: identifier, replicas: ['n1.0'], seq: 123456 }))
  notes.note('n1', 'long', '*', 'x '.repeat(500))
  notes.tell({ reason: 'wrong', subjects: '*' })
  t.equal(lines[0], '0.000  n1  install  {lo:d9ef33,replicas:[n1.0],seq:123456}')
  t.match(lines[1], /^0\.000 {2}n1 {2}long {5}(x ){79}x…$/)
})

t.test('of very many events the last ones are shown', async t => {
  const { lines, notes } = transcript()
  for (let event = 0; event < TRANSCRIPT_LINES_MAX + 10; event++) notes.note('n1', `e${event}`, ['a'])
  notes.tell({ reason: 'wrong', subjects: ['a'] })
  t.equal(lines[0], '… 10 earlier events are left out')
  t.equal(lines.length, TRANSCRIPT_LINES_MAX + 2)
  t.match(lines.at(-2), `e${TRANSCRIPT_LINES_MAX + 9}`)
})

t.test('the hash covers everything that was noted, whether somebody reads or not', async t => {
  const digest = (
    isWanted: boolean,
    change: Partial<Record<'ms' | 'where' | 'kind' | 'subject' | 'detail', string>>,
  ) => {
    const { time, notes } = transcript(isWanted)
    for (let event = 0; event < 3000; event++) notes.note('n1', 'event', ['a'], 'x')
    time.ms = Number(change.ms ?? 1)
    notes.note(change.where ?? 'n1', change.kind ?? 'event', [change.subject ?? 'a'], change.detail ?? 'y')
    notes.note('n1', 'event', '*', () => 'not hashed')
    t.equal(notes.digest(), notes.digest())
    return notes.digest()
  }
  const usual = digest(true, {})
  t.match(usual, /^[0-9a-f]{32}$/)
  t.equal(digest(false, {}), usual)
  for (const change of [{ ms: '2' }, { where: 'n2' }, { kind: 'other' }, { subject: 'b' }, { detail: 'z' }]) {
    t.not(digest(true, change), usual, JSON.stringify(change))
  }
})

t.test('details that nobody reads are not made', async t => {
  const { lines, notes } = transcript(false)
  notes.note('n1', 'event', '*', () => t.fail('it was made') as unknown as string)
  notes.tell({ reason: 'wrong', subjects: '*' })
  t.same(lines, [])
})

t.test('a run is replayed by one command', async t => {
  t.equal(replayCommand({ seed: 7 }), 'npm run simulate -- --seed 7')
  t.equal(
    replayCommand({ seed: 7, mutant: 'early' as MutantName, scenarioFile: 'toy.ts' }),
    'npm run simulate -- --scenario toy.ts --seed 7 --mutant early',
  )
  t.equal(replayCommand({ seed: 7, scheduleFile: 'x.json' }), 'npm run simulate -- --schedule x.json')
})
