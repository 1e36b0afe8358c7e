import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { type DepartureComponents, handOver } from '../../src/membership/departure.ts'

/** Time passes as fast as it is asked to. */
function scripted(free: boolean[], changes: Partial<DepartureComponents> = {}) {
  const said: string[] = []
  let nowMs = 0
  const env = {
    ...realEnv(),
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    timers: {
      after: () => ({ cancel() {} }),
      soon: realEnv().timers.soon,
      sleep: async (ms: number, signal?: AbortSignal) => {
        nowMs += ms
        signal?.throwIfAborted()
      },
    },
  }
  const components: DepartureComponents = {
    env,
    signal: new AbortController().signal,
    hasOthers: true,
    files: 3,
    become: async status => {
      said.push(status)
    },
    isFree: async () => free.shift() ?? false,
    remind: () => said.push('remind'),
    ...changes,
  }
  return { components, said }
}

t.test('it says that it leaves, and waits until nobody needs it', async t => {
  const { components, said } = scripted([false, false, true])
  await handOver(components)
  t.same(said, ['left'])
})

t.test('a lost message is made up for', async t => {
  const { components, said } = scripted([...Array(10).fill(false), true])
  await handOver(components)
  t.ok(said.includes('remind'))
  t.equal(said[0], 'left')
})

t.test('when it takes too long the node is a member as before', async t => {
  const { components, said } = scripted([])
  await t.rejects(handOver(components, 5_000), { code: 'UNAVAILABLE', message: /nothing is lost/ })
  t.same(
    said.filter(word => word !== 'remind'),
    ['left', 'alive'],
  )
})

t.test('alone: only an empty node may go', async t => {
  const full = scripted([], { hasOthers: false })
  await t.rejects(handOver(full.components), { code: 'UNAVAILABLE', message: /No other node/ })
  const empty = scripted([], { hasOthers: false, files: 0 })
  await handOver(empty.components)
  t.same([...full.said, ...empty.said], [], 'nobody is told anything')
})

t.test('a node that is stopped meanwhile says nothing more', async t => {
  const controller = new AbortController()
  const { components, said } = scripted([], { signal: controller.signal })
  controller.abort(new Error('stopped'))
  await t.rejects(handOver(components), { message: 'stopped' })
  t.same(said, ['left'])
})
