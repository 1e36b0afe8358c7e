import t from 'tap'
import type { TimerEvent } from '../../../src/replication/chain/machine-state.ts'
import { TimerQueues } from '../../../src/replication/chain/timer-queues.ts'
import { manualEnv } from '../../manual-env.ts'

const deadline = (flow: number): TimerEvent => ({ kind: 'deadline', flow: `${flow}` })

function queues(isMoot: (flow: number) => boolean = () => false) {
  const env = manualEnv()
  const fired: number[] = []
  const made = new TimerQueues(env, {
    fire: timer => timer.kind === 'deadline' && fired.push(Number(timer.flow)),
    isMoot: timer => timer.kind === 'deadline' && isMoot(Number(timer.flow)),
  })
  return { env, fired, queues: made }
}

t.test('each fires once, when it is due, whatever else waits', async t => {
  const { env, fired, queues: timers } = queues()
  timers.set(100, deadline(1))
  timers.set(20, deadline(2))
  await env.advance(10)
  timers.set(100, deadline(3))
  timers.set(0, deadline(4))
  t.equal(env.waiting, 3, 'one timer of the system for each length')
  await env.advance(0)
  t.same(fired, [4])
  await env.advance(89)
  t.same(fired, [4, 2])
  await env.advance(1)
  t.same(fired, [4, 2, 1])
  await env.advance(10)
  t.same(fired, [4, 2, 1, 3])
  t.equal(timers.size, 0)
  t.equal(env.waiting, 0)
})

t.test('pointless ones are swept out, the others are not', async t => {
  const { env, fired, queues: timers } = queues(flow => flow % 100 !== 0)
  for (let flow = 0; flow < 50_000; flow++) timers.set(1_000, deadline(flow))
  t.ok(timers.size < 3_000, `${timers.size} wait`)
  await env.advance(1_000)
  t.same(
    fired.filter(flow => flow % 100 === 0),
    Array.from({ length: 500 }, (_, i) => i * 100),
  )
})

t.test('after clear none fires, and new ones do', async t => {
  const { env, fired, queues: timers } = queues()
  timers.set(10, deadline(1))
  timers.clear()
  timers.set(10, deadline(2))
  await env.advance(50)
  t.same(fired, [2])
})

t.test('a process that did not run reads what has come before it takes a wait for a silence', async t => {
  const answered = new Set<number>()
  const env = manualEnv()
  const fired: number[] = []
  const late = new TimerQueues(env, {
    fire: timer =>
      timer.kind === 'deadline' && !answered.has(Number(timer.flow)) && fired.push(Number(timer.flow)),
    isMoot: () => false,
  })
  late.set(100, deadline(1))
  late.set(100, deadline(2))
  env.stall(5_000)
  await env.advance(0)
  t.same(fired, [], 'late, so not yet')
  answered.add(1)
  await env.advance(49)
  t.same(fired, [])
  await env.advance(1)
  t.same(fired, [2], 'only what was not answered meanwhile')
})
