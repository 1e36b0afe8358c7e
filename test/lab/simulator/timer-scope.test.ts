import t from 'tap'
import { TimerScope } from '../../../src/lab/simulator/timer-scope.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

function world() {
  const clock = new VirtualClock()
  return { clock, node: new TimerScope({ timers: clock }), other: new TimerScope({ timers: clock }) }
}

t.test('a crash takes the timers of its node and of no other', async t => {
  const { clock, node, other } = world()
  const seen: string[] = []
  node.after(1, () => seen.push('before'))
  node.after(3, () => seen.push('lost'))
  node.soon(() => seen.push('soon'))
  other.after(3, () => seen.push('other'))
  clock.runUntil(2)
  node.clear()
  node.after(2, () => seen.push('after the restart'))
  clock.runUntil(10)
  t.same(seen, ['soon', 'before', 'other', 'after the restart'])
})

t.test('what falls due in a pause happens at its end, in order', async t => {
  const { clock, node } = world()
  const seen: string[] = []
  const note = (name: string) => () => seen.push(`${name}@${clock.monotonicMs()}`)
  node.after(5, note('b'))
  node.after(2, note('a'))
  const cancelled = node.after(3, note('never'))
  node.after(20, note('later'))
  node.pause()
  clock.runUntil(10)
  t.same(seen, [])
  cancelled.cancel()
  node.resume()
  t.same(seen, [], 'not inside of resume')
  clock.runUntil(30)
  t.same(seen, ['a@10', 'b@10', 'later@20'])
})

t.test('a node that crashes in a pause forgets what was overdue', async t => {
  const { clock, node } = world()
  node.after(1, () => t.fail('it was lost'))
  node.pause()
  clock.runUntil(5)
  node.clear()
  t.equal(node.paused, false)
  node.resume()
  clock.runUntil(10)
  t.equal(clock.waiting, 0)
})

t.test('a second pause before the overdue ones had their turn holds them back again', async t => {
  const { clock, node } = world()
  const seen: string[] = []
  node.after(1, () => seen.push('a'))
  node.pause()
  clock.runUntil(2)
  node.resume()
  node.pause()
  clock.runUntil(3)
  t.same(seen, [])
  node.resume()
  clock.runUntil(3)
  t.same(seen, ['a'])
})

t.test('a sleep in a scope can be cut short', async t => {
  const { clock, node } = world()
  const control = new AbortController()
  clock.after(1, () => control.abort(new Error('stop')))
  await t.rejects(clock.runAsync(node.sleep(9, control.signal)), { message: 'stop' })
  await clock.runAsync(node.sleep(2))
  t.equal(clock.monotonicMs(), 3)
})
