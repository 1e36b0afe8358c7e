import t from 'tap'
import { Members } from '../../src/membership/members.ts'
import { readMembers } from '../../src/membership/network-config.ts'
import type { MembersChange } from '../../src/replication/chain/machine-state.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { manualEnv } from '../manual-env.ts'
import { NETWORK } from '../ring-node/founded-ring.ts'
import { record } from '../routing/any.ts'

function membersOf(others = [record('b')]) {
  const env = manualEnv()
  const store = new MemoryStorage({ env }).replica
  let changes = 0
  const told: string[][] = []
  const changed = (change: MembersChange) => {
    changes++
    told.push(change.members.map(({ node, status }) => `${node} ${status}`))
  }
  const news: string[] = []
  const refuted = () => {
    news.push('refuted')
  }
  const died = ({ nodeId }: MapRecord) => {
    news.push(`${nodeId} died`)
  }
  const returned = ({ nodeId }: MapRecord) => {
    news.push(`${nodeId} returned`)
  }
  const contested: string[] = []
  const members = new Members(
    { env, store, changed, refuted, died, returned, contested: address => contested.push(address) },
    { network: NETWORK, self: record('a'), records: others, learn: 'path' },
  )
  return { env, store, members, changes: () => changes, told, news, contested }
}

const statuses = (members: Members) =>
  Object.fromEntries(members.chainMembers().map(({ node, status }) => [node, status]))

t.test('what is learnt in one turn is told once, and kept', async t => {
  const { env, store, members, changes } = membersOf()
  await env.advance(0)
  t.equal(changes(), 1)
  members.learn([record('c')])
  members.learn([record('d')])
  await env.advance(0)
  t.equal(changes(), 2)
  members.learn([record('c')])
  await env.advance(0)
  t.equal(changes(), 2, 'nothing new')
  t.same(
    readMembers(store)
      .map(({ nodeId }) => nodeId)
      .sort(),
    ['node-a', 'node-b', 'node-c', 'node-d'],
  )
  t.equal(members.addressOf(record('c').nodeId), 'c:5000')
  t.equal(members.addressOf(record('x').nodeId), undefined)
})

t.test(
  'the machine sees who serves, who leaves and who is gone, under the identifiers of the first address',
  async t => {
    const { members } = membersOf([
      record('b', { incarnation: 2, status: 'left' }),
      record('c', { incarnation: 1, status: 'dead' }),
    ])
    t.same(statuses(members), { 'node-a': 'member', 'node-b': 'leaving', 'node-c': 'gone' })
    t.same(
      members.alive().map(({ nodeId }) => nodeId),
      ['node-a'],
    )
    const before = members.chainMembers()[0]?.identifiers
    t.equal(before?.length, NETWORK.virtualNodes)
    const moved = members.changeSelf({ address: 'new:1' as never })
    t.ok(moved.incarnation > 0, 'its own news overrides what is known')
    t.same(members.chainMembers()[0]?.identifiers, before)
  },
)

t.test('who has changed is told, and nobody else', async t => {
  const { env, members, told } = membersOf([record('b'), record('c')])
  await env.advance(0)
  t.same(told.splice(0), [['node-a member', 'node-b member', 'node-c member']], 'at first all')
  members.learn([record('b', { status: 'left' }), record('c'), record('d')])
  await env.advance(0)
  t.same(told.splice(0), [['node-b leaving', 'node-d member']])
  members.learn([record('d', { status: 'dead' }), record('d', { incarnation: 2 })])
  t.equal(statuses(members)['node-d'], 'member', 'whoever asks before it is told hears the latest')
  await env.advance(0)
  t.same(told.splice(0), [['node-d member']])
})

t.test('who is forgotten for want of room is forgotten everywhere', async t => {
  const forgotten: string[] = []
  const env = manualEnv()
  const store = new MemoryStorage({ env }).replica
  const nothing = () => {}
  const members = new Members(
    {
      env,
      store,
      changed: change => forgotten.push(...change.forgotten),
      refuted: nothing,
      died: nothing,
      returned: nothing,
      contested: nothing,
    },
    { network: { ...NETWORK, virtualNodes: 1 }, self: record('a'), records: [], learn: 'path' },
  )
  const { membersMax } = members.map.roster
  members.learn([record('oldest', { status: 'dead' })])
  await env.advance(1_000)
  members.learn(Array.from({ length: membersMax - 2 }, (_, index) => record(`n${index}`)))
  await env.advance(0)
  t.same(forgotten, [])
  members.learn([record('new')])
  await env.advance(0)
  t.same(forgotten, ['node-oldest'])
  const kept = new Set(readMembers(store).map(({ nodeId }) => nodeId))
  t.ok(kept.has(record('new').nodeId))
  t.notOk(kept.has(record('oldest').nodeId), 'on the disk too')
  t.notOk(members.chainMembers().some(({ node }) => node === record('oldest').nodeId))
})

t.test('a node that is said to be dead says that it is not, once', async t => {
  const { env, members, news } = membersOf()
  members.learn([{ ...record('a'), status: 'dead' }])
  t.equal(members.self.status, 'alive')
  t.ok(members.self.incarnation > 0)
  await env.advance(0)
  t.same(news, ['refuted'])
  members.learn([{ ...record('a'), status: 'dead' }])
  members.changeSelf({ zone: 'z' })
  await env.advance(0)
  t.same(news, ['refuted'], 'neither what was refuted nor its own change is a new refutation')
})

t.test('a death is told when it is learnt, and one that was known at the start is not', async t => {
  const { env, members, news } = membersOf([record('b'), record('c', { status: 'dead' })])
  await env.advance(0)
  t.same(news, [])
  t.ok(members.isThere(record('b').nodeId))
  t.notOk(members.isThere(record('c').nodeId), 'it is known and dead')
  t.notOk(members.isThere(record('x').nodeId), 'it is not known')
  members.learn([{ ...record('b'), status: 'dead' }])
  members.learn([{ ...record('c'), status: 'dead' }])
  await env.advance(0)
  t.same(news, ['node-b died'])
  members.learn([record('b', { incarnation: 9 })])
  t.ok(members.isThere(record('b').nodeId))
  await env.advance(0)
  t.same(news, ['node-b died', 'node-b returned'])
  members.learn([record('d')])
  await env.advance(0)
  t.equal(news.length, 2, 'a new node does not return')
  const told = ['a node is believed to be gone', 'a node is back that was believed to be gone']
  t.same(
    env.logged.filter(line => told.includes(line)),
    told,
    'the operator is told each once',
  )
})

t.test(
  'the operator is told once that a node is gone, whoever finds it, and not of one that has left',
  async t => {
    const { env, members } = membersOf([record('b'), record('c', { status: 'left' })])
    await env.advance(0)
    const b = record('b').nodeId
    const told = () => env.logged.filter(line => line.includes('believed to be gone')).length
    members.taught({ kind: 'believed', node: b, isThere: false })
    await env.advance(1_000)
    members.taught({ kind: 'believed', node: b, isThere: true })
    await env.advance(10_000)
    t.equal(told(), 0, 'one that was not there for a moment')
    members.taught({ kind: 'believed', node: b, isThere: false })
    await env.advance(10_000)
    t.equal(told(), 1)
    members.learn([{ ...record('b'), status: 'dead' }])
    await env.advance(0)
    members.taught({ kind: 'believed', node: b, isThere: false })
    t.equal(told(), 1, 'the map says the same, later')
    members.taught({ kind: 'believed', node: b, isThere: true })
    members.learn([record('b', { incarnation: 9 })])
    await env.advance(0)
    t.equal(told(), 2, 'and once that it is back')
    members.taught({ kind: 'believed', node: record('c').nodeId, isThere: false })
    members.taught({ kind: 'believed', node: record('x').nodeId, isThere: false })
    await env.advance(10_000)
    t.equal(told(), 2)
  },
)

t.test('a disk that speaks from an address puts an end to the one that was there before', async t => {
  const { members } = membersOf([record('b'), record('c')])
  const again = { ...record('b again'), address: record('b').address }
  members.learn([again, ...members.replacedBy(again)])
  t.same(statuses(members), {
    'node-a': 'member',
    'node-b': 'gone',
    'node-c': 'member',
    'node-b again': 'member',
  })
  t.same(members.replacedBy(again), [], 'which is no news a second time')
  t.same(members.replacedBy(record('c')), [], 'nor is a node its own successor')
})

t.test('of an address at which two nodes seem to live it is asked who does', async t => {
  const old = record('b')
  const { env, members, contested } = membersOf([old, record('c')])
  await env.advance(0)
  t.same(contested, [])
  members.learn([{ ...record('d'), address: old.address }])
  await env.advance(0)
  t.same(contested, [old.address], 'the disk of before may not know that it is gone')
  members.learn([{ ...record('e'), address: members.self.address }])
  await env.advance(0)
  t.same(contested.slice(1), [members.self.address])
  members.learn([{ ...old, status: 'dead' }])
  members.learn([{ ...record('f'), address: record('c').address, status: 'dead' }])
  await env.advance(0)
  t.equal(contested.length, 2, 'one that is dead contests nothing')
})
