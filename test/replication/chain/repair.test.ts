import t from 'tap'
import type { Member } from '../../../src/replication/chain/machine-state.ts'
import {
  nextStep,
  planRepair,
  type RepairInput,
  ringAt,
  ringOf,
} from '../../../src/replication/chain/repair.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import { placeReplicas, zonesOf } from '../../../src/ring/placement.ts'
import type { NodeId, View, ViewId } from '../../../src/views/view.ts'
import { Bench, node, wholeView } from './bench.ts'

const at = (digit: string) => digit.padEnd(40, '0') as Identifier
const member = (name: string, digit: string, status: Member['status'] = 'member', zone?: string): Member => ({
  node: node(name),
  identifiers: [at(digit)],
  status,
  zone,
})
const MEMBERS = [member('a', '2'), member('b', '4'), member('c', '6'), member('d', '8'), member('e', 'a')]

function view(replicas: string, acceptors: string, lo = '2', hi = '4'): View {
  const nodes = { replicas: [...replicas] as NodeId[], acceptors: [...acceptors] as NodeId[] }
  return { id: 'v' as ViewId, epoch: 1, lo: at(lo), hi: at(hi), sources: [], ...nodes }
}

/** `missing`: whom a majority of the acceptors has never heard of. */
function input(change: Partial<RepairInput> & { dead?: string; missing?: string }): RepairInput {
  const dead = change.dead ?? ''
  const isAlive = (each: NodeId) => !dead.includes(each)
  const isKnown = (each: NodeId) => 'abcdef'.includes(each)
  const isMissing = (each: NodeId) => change.missing?.includes(each) === true
  const ring = change.ring ?? ringOf(MEMBERS)
  const ofEach = new Map(ring.filter(({ nodeId }) => isAlive(nodeId)).map(each => [each.nodeId, each]))
  const zones = () => zonesOf(ofEach.values())
  const believed = { isAlive, zones, isKnown, isMissing }
  return { view: view('bcd', 'bcdea'), active: true, ...believed, copies: 3, ...change, ring }
}

t.test('a ring that follows changes is the ring of those that are there then', async t => {
  const bench = new Bench({ nodes: ['a'] })
  const machine = bench.machine('a')
  const there = new Map<string, Member>()
  const digits = '0123456789abcdef'
  for (let round = 0; round < 60; round++) {
    const changed = [round, round * 7 + 3].map(number => {
      const name = `n${number % 20}`
      const status = (['member', 'gone', 'leaving', 'member'] as const)[
        (number + round) % 4
      ] as Member['status']
      const identifiers = [0, 1].map(each =>
        at(digits[(number + 5 * each) % 16] + name.slice(1).padStart(2, '0')),
      )
      return { node: node(name), identifiers: identifiers as Identifier[], status }
    })
    const members = [...new Map(changed.map(each => [each.node, each])).values()]
    const forgotten = round % 9 === 8 ? [node(`n${(round * 3) % 20}`)] : []
    for (const each of members) there.set(each.node, each)
    const gone = forgotten.filter(each => members.every(other => other.node !== each))
    for (const each of gone) there.delete(each)
    bench.event('a', { kind: 'members-changed', members, forgotten: gone })
    if (round % 3 > 0) t.same(ringAt(machine), ringOf(there.values()), `round ${round}`)
    if (round === 30) bench.event('a', { kind: 'members', members: [...there.values()] })
  }
})

t.test('only members may be given something, each at all of its positions', async t => {
  const two = { ...member('a', 'c'), identifiers: [at('c'), at('1')] }
  const ring = ringOf([two, member('b', '4', 'leaving'), member('c', '6', 'gone'), member('d', '8')])
  t.same(
    ring.map(({ nodeId, identifier }) => `${nodeId}${identifier[0]}`),
    ['a1', 'd8', 'ac'],
  )
})

/** Three zones, clockwise from the range on: b, c and d in one, e in the second, f and a in the third. */
const ZONED = ringOf(
  [...'abcdef'].map((name, index) => member(name, '2468ac'[index] as string, 'member', 'zxxxyz'[index])),
)

const STEPS: [string, Parameters<typeof input>[0], unknown][] = [
  ['nothing', {}, undefined],
  ['the survivors, at once', { dead: 'c' }, { kind: 'propose', plans: [{ replicas: ['b', 'd'] }] }],
  ['the survivors, even of a view that never served', { dead: 'b', active: false }, { kind: 'propose' }],
  ['nothing else of a view that does not serve', { view: view('bc', 'bcdea'), active: false }, undefined],
  ['nothing, where a witness is silent and four live', { dead: 'e' }, undefined],
  [
    'no witness that is silent, where three live',
    { dead: 'ea' },
    { kind: 'propose', plans: [{ acceptors: ['b', 'c', 'd'] }] },
  ],
  [
    'the silent one among the others, where a replica is silent and four live',
    { view: view('bda', 'bdaec'), dead: 'e' },
    { kind: 'pre-copy', node: 'c', plans: [{ acceptors: ['b', 'c', 'd', 'a', 'e'] }] },
  ],
  ['nobody is left to do it', { dead: 'bcd' }, undefined],
  [
    'no other acceptor in the place of one that was never heard of',
    { view: view('bcd', 'bcdez') },
    undefined,
  ],
  [
    'others in the place of two whom nobody has ever heard of',
    { view: view('bcd', 'bcdyz'), dead: 'yz', missing: 'yz' },
    { kind: 'propose', plans: [{ replicas: ['b', 'c', 'd'], acceptors: ['b', 'c', 'd', 'e', 'a'] }] },
  ],
  [
    'a stranger sooner than the dead, when too few are known to live',
    { view: view('bc', 'bcz'), ring: ringOf(MEMBERS.slice(0, 3)), dead: 'ac' },
    { kind: 'propose', plans: [{ replicas: ['b'], acceptors: ['b', 'z', 'c'] }] },
  ],
  [
    'the survivors, whoever is not known',
    { view: view('bcd', 'bcdez'), dead: 'c' },
    { kind: 'propose', plans: [{ replicas: ['b', 'd'] }] },
  ],
  [
    'a cut where an identifier falls, with the one that falls there once it has copied its part',
    { view: view('bcd', 'bcdea', '1') },
    {
      kind: 'pre-copy',
      node: 'a',
      part: { lo: at('1'), hi: at('2') },
      plans: [
        { lo: at('1'), hi: at('2'), replicas: ['a', 'b', 'c'] },
        { lo: at('2'), hi: at('4'), replicas: ['b', 'c', 'd'] },
      ],
    },
  ],
  [
    'a cut at once, where another one is to follow',
    { view: view('bcd', 'bcdea', '1'), ring: ringOf([...MEMBERS, member('f', '3')]) },
    {
      kind: 'propose',
      plans: [
        { lo: at('1'), hi: at('2'), replicas: ['b', 'c', 'd'] },
        { lo: at('2'), hi: at('4'), replicas: ['b', 'c', 'd'] },
      ],
    },
  ],
  [
    'a cut at once, where the one that falls there keeps the range already',
    { view: view('bca', 'bcade', '1') },
    { kind: 'propose', plans: [{ replicas: ['b', 'c', 'a'] }, { replicas: ['b', 'c', 'a'] }] },
  ],
  [
    'nothing, where somebody has come before a witness',
    { ring: ringOf([...MEMBERS, member('f', '9')]) },
    undefined,
  ],
  [
    'other witnesses, where one has so many before it that it is not near any more',
    {
      view: view('bcd', 'bcdea'),
      ring: ringOf([...MEMBERS, ...[...'fghijk'].map((name, index) => member(name, `8${index + 1}`))]),
    },
    { kind: 'propose', plans: [{ replicas: ['b', 'c', 'd'], acceptors: ['b', 'c', 'd', 'f', 'g'] }] },
  ],
  [
    'one more replica, after it has copied',
    { view: view('bd', 'bcdea') },
    { kind: 'pre-copy', node: 'c', plans: [{ replicas: ['b', 'c', 'd'] }] },
  ],
  [
    'in its place',
    { view: view('bde', 'bcdea') },
    { kind: 'pre-copy', plans: [{ replicas: ['b', 'c', 'd'] }] },
  ],
  [
    'the right order',
    { view: view('cbd', 'bcdea') },
    { kind: 'propose', plans: [{ replicas: ['b', 'c', 'd'] }] },
  ],
  [
    'a leaving node goes last',
    { ring: ringOf([MEMBERS[0], member('b', '4', 'leaving'), ...MEMBERS.slice(2)] as Member[]) },
    { kind: 'pre-copy', node: 'e' },
  ],
  [
    'a zone that has no copy',
    { ring: ZONED },
    {
      kind: 'pre-copy',
      node: 'e',
      plans: [{ replicas: ['b', 'e', 'c'], acceptors: ['b', 'e', 'c', 'f', 'a'] }],
    },
  ],
  [
    'witnesses of all zones',
    { ring: ZONED, view: view('bef', 'bcdef') },
    { kind: 'propose', plans: [{ replicas: ['b', 'e', 'f'], acceptors: ['b', 'e', 'f', 'c', 'a'] }] },
  ],
  ['nothing, where zones are as they should be', { ring: ZONED, view: view('bef', 'befca') }, undefined],
  [
    'two of one zone, when a zone is gone',
    { ring: ZONED, view: view('bef', 'befca'), dead: 'ef' },
    { kind: 'propose', plans: [{ replicas: ['b'] }] },
  ],
]

t.test('the next step of a range', async t => {
  for (const [what, change, wanted] of STEPS) {
    const step = nextStep(input(change))
    if (wanted === undefined) t.equal(step, undefined, what)
    else t.match(step, wanted as object, what)
  }
})

t.test('a range finds its way to its successors', async t => {
  const bench = new Bench({ nodes: ['a', 'b', 'c', 'd', 'e'], view: { ...view('ea', 'eabcd', '0', '0') } })
  bench.put('e', 'w', 'file')
  for (const name of ['a', 'b', 'c', 'd', 'e']) bench.event(name, { kind: 'members', members: MEMBERS })
  for (let round = 0; round < 40; round++)
    for (const kind of ['repair', 'watch', 'back-fill'] as const) bench.fire(kind)
  const serving = [...bench.machines.values()]
    .flatMap(machine => [...machine.views.values()].filter(state => state.view.replicas[0] === machine.self))
    .filter(({ active, sealed }) => active && !sealed)
  t.equal(serving.length, 5 + 1, 'cut at five identifiers and where it was cut before')
  for (const state of serving) {
    t.same(state.view.replicas, placeReplicas(ringOf(MEMBERS), state.view.hi, 3))
    t.ok(state.complete)
  }
  t.equal(bench.get('c', 'r', 'file'), 'w')
})

t.test('copies stay in three zones through joins, a crash and the return', async t => {
  const names = [...'abcdef']
  const members = names.map((name, index) =>
    member(name, '2468ac'[index] as string, 'member', 'xxyyzz'[index] as string),
  )
  const zoneOf = (each: NodeId) => members.find(({ node }) => node === each)?.zone
  const bench = new Bench({ nodes: names, view: { ...view('a', 'a', '0', '0') } })
  bench.put('a', 'w', 'file')
  const settle = (present: readonly string[], wanted: number, what: string) => {
    const known = members.filter(({ node }) => present.includes(node))
    bench.lose = ({ from, to }) => !present.includes(from) || !present.includes(to)
    const told = names.map((each): Member => {
      const status = known.some(({ node }) => node === each) ? 'member' : 'gone'
      return { ...(members.find(({ node }) => node === each) as Member), status }
    })
    for (const name of present) bench.event(name, { kind: 'members', members: told })
    for (let round = 0; round < 60; round++)
      for (const kind of ['repair', 'watch', 'back-fill', 'proposal'] as const) bench.fire(kind)
    const serving = present.flatMap(name =>
      [...bench.machine(name).views.values()].filter(
        ({ view: { replicas }, active, sealed }) => replicas[0] === name && active && !sealed,
      ),
    )
    t.ok(serving.length >= present.length, `${what}: each has a range`)
    for (const { view: each } of serving) {
      t.equal(new Set(each.replicas.map(zoneOf)).size, wanted, `${what}: ${each.replicas}`)
    }
    const before = bench.log.length
    for (const kind of ['repair', 'watch', 'back-fill', 'proposal'] as const) bench.fire(kind)
    t.notMatch(bench.log.slice(before).join(), /prepare|pre-copy/, `${what}: nobody wants it otherwise`)
    t.equal(bench.get(present[0] as string, `r${what}`, 'file'), 'w', what)
  }
  settle(['a', 'b', 'c'], 2, 'two zones')
  settle(names, 3, 'three zones have come to be')
  settle(['a', 'c', 'd', 'e'], 3, 'one of each zone is left')
  settle(['a', 'b', 'c', 'd'], 2, 'a zone is gone')
})

t.test('a newcomer copies the part that it takes over, and one change gives it that', async t => {
  const bench = new Bench({ nodes: ['a', 'b'], view: { ...view('a', 'a', '2', '2') } })
  const names = Array.from({ length: 16 }, (_, index) => `file${index}`)
  for (const name of names) bench.put('a', `w${name}`, name)
  const members = [member('a', '2'), member('b', '4')]
  const compared: string[] = []
  let copied = 0
  bench.lose = ({ message }) => {
    if (message.kind === 'compare' && message.purpose === 'pre-copy')
      compared.push(`${message.view.lo[0]}${message.view.hi[0]}`)
    if (message.kind === 'difference' && compared.length === 1) copied = message.records.length
    return false
  }
  for (const name of ['a', 'b']) bench.event(name, { kind: 'members', members })
  bench.fire('repair', 'a')
  t.equal(compared[0], '24')
  t.ok(copied < names.length, 'what lies in the other part is not copied with it')
  const [first] = [...bench.machine('a').views.values()].filter(state => state.next !== undefined)
  t.same(
    first?.next?.map(({ lo, replicas }) => [lo[0], ...replicas]),
    [
      ['2', 'b', 'a'],
      ['4', 'a'],
    ],
  )
})

t.test('who has had a range copied goes on with it, though its head believes otherwise', async t => {
  const bench = new Bench({ nodes: ['a', 'b', 'c'], view: { ...view('ab', 'abc', '2', '2') } })
  bench.put('a', 'w', 'file')
  const members = [member('a', '2'), member('b', '4'), member('c', '6')]
  // The head has not heard of the third one.
  bench.event('a', { kind: 'members', members: members.slice(0, 2) })
  for (const name of ['b', 'c']) bench.event(name, { kind: 'members', members })
  bench.lose = ({ to, message }) => to === 'a' && message.kind === 'pre-copied'
  for (let round = 0; round < 8; round++)
    for (const kind of ['repair', 'proposal', 'watch'] as const) bench.fire(kind, 'b')
  t.ok(bench.viewAt('b', 'file')?.replicas.includes(node('c')))
})

t.test('a range that takes long to copy changes hands when it is copied, however long that is', async t => {
  const bench = new Bench({ nodes: ['a', 'b', 'c'], view: { ...view('a', 'a', '2', '2') } })
  bench.put('a', 'w', 'file')
  bench.lose = ({ message }) => message.kind === 'pre-copied'
  const members = [member('a', '2'), member('b', '4')]
  for (const name of ['a', 'b']) bench.event(name, { kind: 'members', members })
  const settle = () => {
    for (const kind of ['repair', 'watch', 'back-fill', 'proposal'] as const) bench.fire(kind)
  }
  for (let round = 0; round < 100; round++) settle()
  const keepsAt = (name: string) => bench.viewAt(name, 'file')?.replicas.join('')
  t.equal(keepsAt('a'), 'a', 'it is not known to have been copied')
  bench.lose = () => false
  for (let round = 0; round < 5; round++) settle()
  t.match(keepsAt('a'), /^(ab|ba)$/)
})

t.test('who becomes the first live replica does not wait for its later turn', async t => {
  const bench = new Bench({ nodes: ['a', 'b', 'c'] })
  const machine = bench.machine('b')
  const id = wholeView(['a']).id
  const dueMs = () => machine.series.repair.get(id) as number
  planRepair(machine, id)
  const later = dueMs()
  planRepair(machine, id)
  t.equal(dueMs(), later, 'one look is enough')
  machine.suspects.add(node('a'))
  planRepair(machine, id)
  t.ok(dueMs() < later)
  bench.event('b', { kind: 'timer', timer: { kind: 'repair', viewId: id, tries: 1, dueMs: later } })
  t.ok(machine.series.repair.has(id), 'the look that was replaced is none')
  bench.event('b', { kind: 'timer', timer: { kind: 'repair', viewId: id, tries: 1, dueMs: dueMs() } })
  t.notOk(machine.series.repair.has(id))
})
