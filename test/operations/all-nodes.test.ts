import t from 'tap'
import type { PeerAnswer, PeerCall } from '../../src/calls/calls.ts'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { AllNodes, type AllNodesComponents } from '../../src/operations/all-nodes.ts'
import { Asking, type AskingComponents } from '../../src/operations/asking.ts'
import type { Machine } from '../../src/replication/chain/machine-parts.ts'
import { networkViewOf } from '../../src/replication/chain/network-view.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import { RangeTable } from '../../src/views/range-table.ts'

const record = (name: string): MapRecord => ({
  nodeId: name as NodeId,
  address: `${name}:1` as Address,
  ringAddress: `${name}:1` as Address,
  incarnation: 1,
  status: 'alive',
  zone: undefined,
})

const driverWith = (machine: object) => ({
  fault: undefined,
  known: networkViewOf(() => ({ table: new RangeTable(), ...machine }) as Machine),
})

/** This node is `a`; the others answer as `answer` says. */
function allNodes(
  others: string[],
  answer: (to: Address, call: PeerCall) => unknown,
  driver: object = driverWith({ suspects: new Set(), views: new Map() }),
  env = realEnv(),
) {
  const calls: [Address, PeerCall][] = []
  const learned: MapRecord[] = []
  const members = {
    self: record('a'),
    others: () => others.map(record),
    learn: (records: MapRecord[]) => learned.push(...records),
    changeSelf: () => record('a'),
    routing: { isPartial: false },
    addressOf: () => undefined,
  }
  let looks = 0
  const { signal } = new AbortController()
  const call = async (to: Address, asked: PeerCall) => {
    calls.push([to, asked])
    return answer(to, asked) as PeerAnswer
  }
  const components = {
    lookup: silent,
    learnNeighbours: () => undefined,
    env,
    members,
    driver,
    call,
    asking: new Asking({
      env,
      call,
      members,
      driver,
      send: () => undefined,
      signal,
    } as unknown as AskingComponents),
    files: () => 0,
    network: { now: {} },
    // What the eventual model keeps is confirmed from the second look on.
    isHandedOver: () => ++looks > 1,
    signal,
  }
  return {
    nodes: new AllNodes(components as unknown as AllNodesComponents),
    calls,
    learned,
    looks: () => looks,
  }
}

const silent = () => {
  throw new StoreError('UNAVAILABLE', 'silent')
}

t.test(
  'all others are told of this node, and say who they are; one that is silent by way of others',
  async t => {
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`)
    const { nodes, calls, learned } = allNodes(names, to => {
      if (to === 'n7:1') silent()
      return { record: record(to.replace(':1', '')) }
    })
    await nodes.announce()
    const onward = calls.splice(names.length)
    t.match(
      onward.map(([, call]) => call),
      [{ onward: ['n7'] }, { onward: ['n7'] }],
    )
    t.notOk(onward.some(([to]) => to === 'n7:1'))
    t.same(calls.map(([to]) => to).sort(), names.map(name => `${name}:1`).sort())
    t.ok(calls.every(([, call]) => call.kind === 'learn' && call.records[0]?.nodeId === 'a'))
    t.equal(learned.length, 39)
  },
)

t.test('ready is what a peer proves', async t => {
  const alone = allNodes([], silent)
  await alone.nodes.proveReady()
  const some = allNodes(['b', 'c'], to => (to === 'b:1' ? silent() : { view: {} }))
  await some.nodes.proveReady()
  t.match(some.calls[0]?.[1], { kind: 'lookup', request: { visited: ['a'] } })
  await t.rejects(allNodes(['b', 'c'], silent).nodes.proveReady(), { code: 'UNAVAILABLE' })
  await t.rejects(allNodes(['b'], () => ({ view: undefined })).nodes.proveReady(), { code: 'UNAVAILABLE' })
  const many = allNodes(['b', 'c', 'd', 'e', 'f'], silent)
  await t.rejects(many.nodes.proveReady())
  t.equal(many.calls.length, 3, 'the answer does not wait for all of a large network')
})

t.test('a peer that is given up proves nothing, and a faulty disk is not ready', async t => {
  const driver = driverWith({ suspects: new Set(['b']) })
  const given = allNodes(['b'], silent, driver)
  await given.nodes.proveReady()
  t.same(given.calls, [])
  await t.rejects(
    allNodes(['b'], () => ({ view: {} }), {
      ...driver,
      fault: new StoreError('DISK_FULL', 'No space is left on the disk.'),
    }).nodes.proveReady(),
    { code: 'UNAVAILABLE', message: 'No space is left on the disk.' },
    'with the reason of the fault',
  )
})

t.test('the parts of a list are those that were given', async t => {
  const part = { lines: [], upTo: undefined, arcs: [] }
  const { nodes, calls } = allNodes(['b', 'c'], to => (to === 'b:1' ? silent() : part))
  const { parts, silent: gone } = await nodes.list({ prefix: 'p', after: undefined, limit: 5 })
  t.same(
    [parts, gone.map(({ nodeId }) => nodeId)],
    [[part, part], ['b']],
    'c is asked what it has in place of b',
  )
  t.match(calls[0]?.[1], { kind: 'list', prefix: 'p', limit: 5 })
})

t.test('recoveries by force are asked of all others, or of some', async t => {
  const { nodes, calls } = allNodes(['b', 'c', 'd'], () => ({ recoveries: [] }))
  await nodes.learnRecoveries()
  t.same(calls.map(([to]) => to).sort(), ['b:1', 'c:1', 'd:1'])
  calls.length = 0
  await nodes.learnRecoveries([record('c').nodeId, 'unknown' as NodeId])
  t.same(calls, [['c:1', { kind: 'recoveries' }]])
  calls.length = 0
  nodes.meetAgain(record('d').nodeId)
  t.same(calls, [['d:1', { kind: 'recoveries' }]], 'who returns is asked')
  calls.length = 0
  nodes.meetAgain()
  const kinds = calls.map(([, { kind }]) => kind)
  t.equal(kinds.filter(kind => kind === 'recoveries').length, 3, 'who was taken for dead asks all')
  t.equal(kinds.filter(kind => kind === 'learn').length, 3, 'and tells all that it is there')
})

t.test('a node that leaves tells it again as long as the others need it', async t => {
  const real = realEnv()
  let nowMs = 0
  const env = {
    ...real,
    clock: { ...real.clock, monotonicMs: () => nowMs },
    timers: {
      ...real.timers,
      // Each pause takes a second.
      sleep: async () => {
        nowMs += 1_000
      },
    },
  }
  const range = { lo: '0'.repeat(40), hi: '0'.repeat(40), epoch: 1, id: '1-b', acceptors: ['b'] }
  let told = 0
  const events: string[] = []
  const driver = {
    ...driverWith({ suspects: new Set(), views: new Map() }),
    dispatch: ({ kind }: { kind: string }) => events.push(kind),
  }
  const answer = (to: Address, { kind }: PeerCall) => {
    if (kind === 'learn') {
      told++
      return { record: record(to.slice(0, 1)) }
    }
    // It has missed the news at first.
    const replicas = told < 3 ? ['a'] : ['b']
    return { ranges: [{ ...range, replicas, state: 'serving' }] }
  }
  const { nodes, looks } = allNodes(['b'], answer, driver, env)
  await nodes.depart(new AbortController().signal)
  t.equal(told, 3)
  t.ok(events.every(kind => kind === 'verify'))
  t.equal(looks(), 2, 'and waits until what it keeps is handed over')
})
