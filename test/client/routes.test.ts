import t from 'tap'
import { SUSPECT_FIRST_MS } from '../../src/client/reachability.ts'
import { type Goal, type Route, Routes } from '../../src/client/routes.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { manualEnv } from '../manual-env.ts'

const NAMED = 'http://127.0.0.1:5000'
const [A, B, C] = ['http://127.0.0.1:5001', 'http://127.0.0.1:5002', 'http://127.0.0.1:5003']
const read: Goal = { path: parsePathName('a'), writes: false }
const write: Goal = { path: parsePathName('a'), writes: true }
const whole = `${'0'.repeat(40)} ${'0'.repeat(40)}`
const told = { 'ring-range': `${whole} 7 127.0.0.1:5001 127.0.0.1:5002 127.0.0.1:5003`, 'ring-network': 'n1' }

function routes(direct = true) {
  const env = { ...manualEnv(), randomness: { bytes: (length: number) => new Uint8Array(length) } }
  return { env, routes: new Routes(env, NAMED, direct) }
}

/** Takes the first route and has it answered. */
function go(of: Routes, goal: Goal | undefined, headers: Record<string, string> = {}): Route {
  const [route] = of.to(goal)
  if (route === undefined) throw new Error('no route')
  of.answered(route, headers)
  return route
}

/** All routes of one try, each of which fails. */
function failing(of: Routes, goal: Goal): string[] {
  return Array.from(of.to(goal), route => {
    of.failed(route)
    return route.origin
  })
}

t.test('what nobody has told goes to the node that the user named', async t => {
  const { routes: of } = routes()
  const first = go(of, read)
  t.match(first, {
    origin: NAMED,
    named: true,
    range: undefined,
    headers: { 'ring-epoch': '0' },
    others: false,
  })
  t.notOk('ring-network' in first.headers, 'it decides which network is meant')
})

t.test('what was told is gone to: writes to the head, reads in turn', async t => {
  const { routes: of } = routes()
  go(of, read, told)
  t.equal(go(of, write).origin, A)
  t.equal(go(of, write).origin, A)
  const reads = Array.from({ length: 6 }, () => go(of, read))
  t.same([...new Set(reads.map(({ origin }) => origin))].sort(), [A, B, C])
  t.match(reads[0], { named: false, others: true, headers: { 'ring-epoch': '7', 'ring-network': 'n1' } })
  t.equal(go(of, undefined).origin, NAMED, 'what is about a node stays there')
})

t.test('without direct, all goes to the node that the user named, and nothing is asked', async t => {
  const { routes: of } = routes(false)
  go(of, read, told)
  const route = go(of, write)
  t.match(route, { origin: NAMED, headers: {} })
  t.same(Object.keys(route.headers), [])
})

t.test('where nobody answers, each is tried once, and the node that the user named in any case', async t => {
  const { env, routes: of } = routes()
  go(of, write, told)
  t.same(failing(of, write), [A, B, C, NAMED])
  const again = failing(of, write)
  t.equal(again[0], NAMED, 'rather than nobody, all of them once more, the named one first')
  t.same(again.toSorted(), [NAMED, A, B, C])
  await env.advance(SUSPECT_FIRST_MS)
  t.equal(failing(of, write)[0], NAMED, 'their range is forgotten with them')
})

t.test('while the named node is down, others that answered stand in', async t => {
  const { routes: of } = routes()
  go(of, write, told)
  go(of, write)
  of.failed({ ...go(of, undefined), origin: NAMED })
  const other: Goal = { path: parsePathName('b'), writes: true }
  t.equal(go(of, other).origin, A)
  t.equal(go(of, 'any').origin, A)
})

t.test('while an address is not proved, only one request goes there', async t => {
  const { routes: of } = routes()
  go(of, write, told)
  const [first] = of.to(write)
  const [second] = of.to(write)
  const [third] = of.to(write)
  const [fourth] = of.to(write)
  t.same(
    [first, second, third, fourth].map(route => route?.origin),
    [A, B, C, NAMED],
  )
})

t.test('who has to ask another is not believed any more', async t => {
  const { routes: of } = routes()
  go(of, write, told)
  go(of, write, { 'ring-hops': '1' })
  const route = go(of, write, told)
  t.match(route, { origin: NAMED, headers: { 'ring-epoch': '0' } })
  go(of, write, { 'ring-hops': '0' })
  t.equal(go(of, write).origin, A)
})

t.test('a range of another network counts only from the named node, and ends what was known', async t => {
  const { routes: of } = routes()
  go(of, write, told)
  go(of, write, { ...told, 'ring-range': `${whole} 9 127.0.0.1:5009`, 'ring-network': 'n2' })
  t.equal(go(of, write).origin, A, 'a learned node does not lead away')
  of.answered(go(of, undefined), { 'ring-range': `${whole} 1 127.0.0.1:5003`, 'ring-network': 'n3' })
  const route = go(of, write)
  t.equal(route.origin, C, 'the epochs of another network do not compare')
  t.equal(route.headers['ring-network'], 'n3')
})
