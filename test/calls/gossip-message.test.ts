import t from 'tap'
import { isPeerCall } from '../../src/calls/calls.ts'
import { record } from '../routing/any.ts'

const BEAT = { node: 'n', boot: 1, seq: 2 }
const PAIR = { key: 'color', value: 'blue', version: 1, owner: 'n', leftMs: 1_000 }
const SAID = { beats: [BEAT], doubts: [{ ...BEAT, by: ['m'] }], pairs: [PAIR] }

const isTaken = (said: unknown) => isPeerCall({ kind: 'gossip', said }, 5)

t.test('what a round of gossip says', async t => {
  t.ok(isTaken(SAID))
  t.ok(isTaken({ ...SAID, piggyback: { from: record('a'), news: [], records: [record('b')] } }))
  t.ok(isTaken({ ...SAID, more: 'that a later program says' }))
  t.ok(isPeerCall({ kind: 'gossip-probe', node: 'n' }, 5))
  t.notOk(isPeerCall({ kind: 'gossip-probe' }, 5))
  t.notOk(isPeerCall({ kind: 'gossip', said: SAID }, 4), 'the version before does not know it')
})

t.test('what is malformed or without measure is not taken', async t => {
  const many = (count: number, one: unknown) => Array.from({ length: count }, () => one)
  const piggyback = { from: record('a'), news: [], records: [] }
  const bad: [string, unknown][] = [
    ['nothing', {}],
    ['a counter below 0', { ...SAID, beats: [{ ...BEAT, seq: -1 }] }],
    ['a counter that is no number', { ...SAID, beats: [{ ...BEAT, boot: '1' }] }],
    ['a counter without measure', { ...SAID, beats: [{ ...BEAT, seq: 2 ** 60 }] }],
    ['a million heartbeats', { ...SAID, beats: many(1_000_000, BEAT) }],
    ['a million doubts', { ...SAID, doubts: many(1_000_000, SAID.doubts[0]) }],
    ['a million observers', { ...SAID, doubts: [{ ...BEAT, by: many(1_000_000, 'm') }] }],
    ['a million pairs', { ...SAID, pairs: many(1_000_000, PAIR) }],
    ['a million members', { ...SAID, piggyback: { ...piggyback, records: many(1_000_000, record('b')) } }],
    ['a million news', { ...SAID, piggyback: { ...piggyback, news: many(1_000_000, record('b')) } }],
    ['a piggyback that is none', { ...SAID, piggyback: 7 }],
    ['a time to live of 10^9 s', { ...SAID, pairs: [{ ...PAIR, leftMs: 1e12 }] }],
    ['a time to live below 0', { ...SAID, pairs: [{ ...PAIR, leftMs: -1 }] }],
    ['a large value', { ...SAID, pairs: [{ ...PAIR, value: 'x'.repeat(513) }] }],
    ['a large key', { ...SAID, pairs: [{ ...PAIR, key: 'x'.repeat(65) }] }],
    ['text that is none', { ...SAID, pairs: [{ ...PAIR, value: '\ud800' }] }],
  ]
  for (const [what, said] of bad) t.notOk(isTaken(said), what)
})
