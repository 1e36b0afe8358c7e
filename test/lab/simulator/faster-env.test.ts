import t from 'tap'
import { fasterClock, fasterTimers, NODE_MS } from '../../../src/lab/simulator/faster-env.ts'
import { VIRTUAL_START_MS, VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

t.test('a second of a node is a short while of its world', async t => {
  const world = new VirtualClock()
  const clock = fasterClock(world)
  const timers = fasterTimers(world)
  const seen: string[] = []
  timers.after(1_000, () => seen.push(`timer at ${world.monotonicMs()}`))
  timers.sleep(2_000).then(
    () => seen.push('slept'),
    () => seen.push('woken'),
  )
  timers.soon(() => seen.push('soon'))
  await world.runSettled(1_000 / NODE_MS)
  t.same(seen, ['soon', `timer at ${1_000 / NODE_MS}`])
  t.equal(clock.monotonicMs(), 1_000)
  t.equal(clock.nowMs(), VIRTUAL_START_MS + 1_000)
  await world.runSettled(2_000 / NODE_MS)
  t.same(seen.slice(2), ['slept'])
})
