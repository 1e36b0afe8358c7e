import t from 'tap'
import { ORIGINS_MAX, Reachability, SUSPECT_FIRST_MS, SUSPECT_MAX_MS } from '../../src/client/reachability.ts'
import { manualEnv } from '../manual-env.ts'

t.test('an address is tried by one request at a time until it has answered', async t => {
  const reachability = new Reachability(manualEnv())
  t.ok(reachability.claim('a'))
  t.notOk(reachability.claim('a'), 'others do not wait with it')
  t.same(reachability.good(), [])
  reachability.answered('a')
  t.ok(reachability.claim('a'))
  t.ok(reachability.claim('a'))
  t.same(reachability.good(), ['a'])
})

t.test('one that failed is left alone, longer each time, and comes back with its first answer', async t => {
  const env = manualEnv()
  const reachability = new Reachability(env)
  let waitMs = SUSPECT_FIRST_MS
  for (let failures = 0; failures < 20; failures++) {
    t.ok(reachability.claim('a'))
    reachability.failed('a', env.clock.monotonicMs())
    await env.advance(waitMs - 1)
    t.notOk(reachability.claim('a'), `still left alone after ${waitMs - 1} ms`)
    t.ok(reachability.isSuspect('a'))
    await env.advance(1)
    t.notOk(reachability.isSuspect('a'))
    waitMs = Math.min(2 * waitMs, SUSPECT_MAX_MS)
  }
  t.equal(waitMs, SUSPECT_MAX_MS)
  t.ok(reachability.claim('a'))
  reachability.answered('a')
  reachability.failed('a', env.clock.monotonicMs())
  await env.advance(SUSPECT_FIRST_MS)
  t.ok(reachability.claim('a'), 'an answer makes good')
})

t.test('requests that fail together count once', async t => {
  const env = manualEnv()
  const reachability = new Reachability(env)
  reachability.answered('a')
  for (let request = 0; request < 8; request++) reachability.failed('a', env.clock.monotonicMs())
  await env.advance(SUSPECT_FIRST_MS)
  t.ok(reachability.claim('a'))
})

t.test('a node that has answered another request since is not gone', async t => {
  const env = manualEnv()
  const reachability = new Reachability(env)
  const beganMs = env.clock.monotonicMs()
  await env.advance(10)
  reachability.answered('a')
  reachability.failed('a', beganMs)
  t.same(reachability.good(), ['a'])
  reachability.failed('a', env.clock.monotonicMs())
  t.same(reachability.good(), [])
})

t.test('a request that is given up leaves the question open', async t => {
  const reachability = new Reachability(manualEnv())
  t.ok(reachability.claim('a'))
  reachability.unknown('a')
  t.ok(reachability.claim('a'))
  reachability.answered('a')
  reachability.unknown('a')
  t.same(reachability.good(), ['a'])
})

t.test('the latest good addresses come first, and memory is bounded', async t => {
  const env = manualEnv()
  const reachability = new Reachability(env)
  for (const origin of ['a', 'b', 'c']) {
    reachability.answered(origin)
    await env.advance(1)
  }
  reachability.failed('b', env.clock.monotonicMs())
  t.same(reachability.good(), ['c', 'a'])
  t.same(reachability.suspects(), ['b'])
  for (let i = 0; i < 2 * ORIGINS_MAX; i++) reachability.answered(`n${i}`)
  t.equal(reachability.size, ORIGINS_MAX)
})
