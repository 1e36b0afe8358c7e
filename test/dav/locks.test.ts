import t from 'tap'
import { Locks } from '../../src/dav/locks.ts'
import { realEnv } from '../../src/env.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { runServer } from '../http/running-server.ts'

async function locksOf(test: Parameters<typeof runServer>[0]) {
  const { files } = await runServer(test)
  const env = realEnv()
  let nowMs = 1_000_000
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }
  const locks = new Locks({ own: files.withReserved(), env: { clock, randomness: env.randomness } })
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { locks, pass, files }
}

const wish = { scope: 'exclusive', depth: '0', owner: '', href: '/dav/a', forMs: 60_000 } as const
const a = parsePathName('a')
const below = parsePathName('a/b')

t.test('of many who take a lock at once, one has it', async t => {
  const { locks } = await locksOf(t)
  const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => locks.take(a, wish)))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') t.match(outcome.reason, { code: 'LOCKED' })
  const [only] = await locks.covering(a)
  t.match(only, {
    at: 'a',
    lock: { token: /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/ },
  })
})

t.test('shared ones share, and keep an exclusive one out', async t => {
  const { locks } = await locksOf(t)
  await locks.take(a, { ...wish, scope: 'shared' })
  await locks.take(a, { ...wish, scope: 'shared' })
  t.equal((await locks.of(a)).length, 2)
  await t.rejects(locks.take(a, wish), { code: 'LOCKED' })
})

t.test('a lock of infinite depth counts below, and meets those that are there', async t => {
  const { locks } = await locksOf(t)
  const inner = await locks.take(below, wish)
  await t.rejects(locks.take(a, { ...wish, depth: 'infinity' }), { code: 'LOCKED' })
  await locks.release({ at: below, lock: inner })
  await locks.take(a, { ...wish, depth: 'infinity' })
  await t.rejects(locks.take(below, wish), { code: 'LOCKED' })
  t.match(await locks.covering(below), [{ at: 'a' }])
  t.same([...(await locks.lockedIn(''))], ['a'])
})

t.test('a lock ends, is renewed, and goes with its place', async t => {
  const { locks, pass } = await locksOf(t)
  const lock = await locks.take(a, wish)
  pass(59_000)
  t.match(await locks.renew({ at: a, lock }, 60_000), { token: lock.token })
  pass(59_000)
  t.equal((await locks.of(a)).length, 1)
  pass(2_000)
  t.same(await locks.of(a), [])
  t.equal(await locks.renew({ at: a, lock }, 60_000), undefined)
  await locks.take(a, wish)
  await locks.take(below, wish)
  await locks.forget(a)
  t.same(await locks.of(a), [])
  t.same(await locks.below(''), [])
})
