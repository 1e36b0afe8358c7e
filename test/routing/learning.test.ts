import t from 'tap'
import { Learning, type LearningMode, RECORDS_MAX } from '../../src/routing/learning.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import type { NetworkMap } from '../../src/routing/network-map.ts'
import { Suspects } from '../../src/routing/suspects.ts'
import { mapOf, record } from './any.ts'

interface Learner {
  readonly map: NetworkMap
  readonly learning: Learning
  readonly suspects: Suspects
}

function learner(name: string, known: readonly MapRecord[] = [], mode: LearningMode = 'path'): Learner {
  const map = mapOf(name, known)
  const suspects = new Suspects()
  return { map, suspects, learning: new Learning({ map, suspects }, { mode }) }
}

/** One request with its reply; both sides learn. Returns what was carried. */
function exchange(from: Learner, to: Learner) {
  const name = to.map.recordOf(to.map.self)
  from.map.merge(name, 0)
  const request = from.learning.forRequest(name.nodeId)
  to.learning.absorb(request, 0)
  const reply = to.learning.forReply(request)
  from.learning.absorb(reply, 0)
  return { request, reply }
}

const many = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => record(`${prefix}${i}`))

t.test('mode chain carries nothing and takes in nothing but what it is given to learn', async t => {
  const a = learner('a', [record('b')], 'chain')
  a.learning.learnNews(record('c'), 0)
  t.equal(a.learning.forRequest(record('b').nodeId), undefined)
  t.ok(a.map.record(record('c').nodeId))
  const b = learner('b', many('n', 5))
  t.equal(a.learning.forReply(b.learning.forRequest(record('n0').nodeId)), undefined)
  a.learning.absorb(b.learning.forReply(learner('z').learning.forRequest(record('z').nodeId)), 0)
  t.equal(a.map.knownCount, 3)
})

t.test('a request brings its sender, the reply fills what the sender lacks', async t => {
  const a = learner('a')
  const b = learner('b', many('n', 10))
  const { request, reply } = exchange(a, b)
  t.match(request, { from: record('a'), news: [], records: [] })
  t.ok(b.map.record(record('a').nodeId))
  t.ok((reply?.records.length ?? 0) > 5, 'but for false positives of the digest')
  t.notOk(reply?.records.some(({ nodeId }) => nodeId === 'node-a' || nodeId === 'node-b'))
  for (let round = 0; round < 20; round++) exchange(a, b)
  t.equal(a.map.aliveCount, 12, 'a few exchanges make up for them')
})

t.test('a message carries no more records than it may, from all over the sector', async t => {
  const a = learner('a')
  const b = learner('b', many('n', 100))
  const { reply } = exchange(a, b)
  t.equal((reply?.records.length ?? 0) + (reply?.news.length ?? 0), RECORDS_MAX)
  const positions = (reply?.records ?? []).map(({ nodeId }) => {
    const { members } = b.map.roster.homes()
    return members.indexOf(b.map.roster.numberOf(nodeId) as number)
  })
  t.ok(Math.max(...positions) > 75 && Math.min(...positions) < 25)
})

t.test('what a dead sender is told of itself takes the place of another record', async t => {
  const a = learner('a', [record('b')])
  const b = learner('b', [...many('n', 100), record('a', { status: 'dead' })])
  const reply = b.learning.forReply(a.learning.forRequest(record('b').nodeId))
  t.match(reply?.records[0], { nodeId: 'node-a', status: 'dead' })
  t.equal((reply?.records.length ?? 0) + (reply?.news.length ?? 0), RECORDS_MAX)
})

t.test('a death goes first, and is told on', async t => {
  const a = learner('a', [record('x'), record('b')])
  const b = learner('b', [...many('n', 100), record('x', { status: 'dead' })])
  const { reply } = exchange(a, b)
  t.match(reply?.records[0], { nodeId: 'node-x', status: 'dead' })
  t.match(a.map.record(record('x').nodeId), { status: 'dead' })
  const c = learner('c', [record('x')])
  const { request } = exchange(a, c)
  t.match(request?.news[0], { nodeId: 'node-x', status: 'dead' }, 'before what a merely lacked')
  t.match(c.map.record(record('x').nodeId), { status: 'dead' })
})

t.test('news are told on by those who did not know them, and die out where all know', async t => {
  const learners = ['a', 'b', 'c', 'd', 'e'].map(name => learner(name))
  for (const one of learners)
    for (const other of learners) one.map.merge(other.map.recordOf(other.map.self), 0)
  learners[0]?.learning.learnNews(record('new'), 0)
  let carried = 0
  let last = 0
  for (let round = 0; round < 40; round++) {
    const from = learners[round % 5] as Learner
    const to = learners[(round + 1 + Math.floor(round / 5)) % 5] as Learner
    if (from === to) continue
    const { request, reply } = exchange(from, to)
    const told = (request?.news.length ?? 0) + (reply?.news.length ?? 0) + (reply?.records.length ?? 0)
    carried += told
    if (told > 0) last = round
  }
  for (const { map } of learners) t.ok(map.record(record('new').nodeId))
  t.ok(carried >= 4 && carried < 20, `told ${carried} times`)
  t.ok(last < 30, 'then nothing is left to tell')
})

t.test('nobody is told about itself, or what it just told', async t => {
  const a = learner('a', [record('b')])
  a.learning.learnNews(record('b', { incarnation: 1 }), 0)
  a.learning.learnNews(record('c'), 0)
  const b = learner('b')
  const { request, reply } = exchange(a, b)
  t.same(
    request?.news.map(({ nodeId }) => nodeId),
    ['node-c'],
  )
  t.same(reply?.news, [])
})

t.test('a node that speaks although it is believed dead is told so, refutes it, and is believed', async t => {
  const a = learner('a')
  const b = learner('b', [record('a', { status: 'dead' })])
  exchange(a, b)
  t.match(a.map.recordOf(a.map.self), { status: 'alive', incarnation: 1 })
  exchange(a, b)
  t.match(b.map.record(record('a').nodeId), { status: 'alive', incarnation: 1 })
  const c = learner('c', [record('a', { status: 'dead' })])
  exchange(b, c)
  t.match(c.map.record(record('a').nodeId), { status: 'alive', incarnation: 1 }, 'and the others hear of it')
})

t.test('whoever speaks is no suspect any more', async t => {
  const a = learner('a')
  const b = learner('b')
  b.suspects.observe(record('a'), record('z').nodeId, 0)
  exchange(a, b)
  t.notOk(b.suspects.isSuspect(record('a').nodeId, 1))
})

t.test('two nodes that exchange whole maps both know nearly all that either knew', async t => {
  const a = learner('a', many('a', 200))
  const b = learner('b', many('b', 300))
  const give = (from: Learner, to: Learner) => {
    const lacked = from.learning.lackedBy(to.learning.wholeDigest(), to.map.recordOf(to.map.self))
    for (const each of lacked) to.learning.learn(each, 0)
    return lacked.length
  }
  t.ok(give(a, b) > 160)
  t.ok(give(b, a) > 240)
  t.ok(a.map.aliveCount > 440 && b.map.aliveCount > 440)
  give(a, b)
  give(b, a)
  t.ok(give(a, b) + give(b, a) < 20, 'a second time there is little left to give')
})
