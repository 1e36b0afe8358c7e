import t from 'tap'
import { realEnv } from '../src/env.ts'

t.test('clocks: one for people, one that never goes back', async t => {
  const { clock } = realEnv()
  t.ok(Math.abs(clock.nowMs() - Date.now()) < 1000)
  let last = clock.monotonicMs()
  for (let i = 0; i < 1000; i += 1) {
    const now = clock.monotonicMs()
    if (now < last) t.fail(`went back from ${last} to ${now}`)
    last = now
  }
})

t.test('randomness gives as many bytes as wanted, and others each time', async t => {
  const { randomness } = realEnv()
  t.equal(randomness.bytes(16).length, 16)
  t.notSame(randomness.bytes(16), randomness.bytes(16))
})

t.test('a timer fires once unless cancelled', async t => {
  const { timers } = realEnv()
  let cancelledFired = false
  const cancelled = timers.after(1, () => {
    cancelledFired = true
  })
  cancelled.cancel()
  // An unreferenced timer needs something else that keeps the process alive.
  const awake = setInterval(() => {}, 1000)
  await new Promise<void>(resolve => timers.after(5, resolve))
  clearInterval(awake)
  t.notOk(cancelledFired)
})

t.test('soon is after what has been promised, and before time passes', async t => {
  const { timers } = realEnv()
  const order: string[] = []
  await new Promise<void>(resolve => {
    timers.soon(() => {
      order.push('soon')
      resolve()
    })
    void Promise.resolve().then(() => order.push('promised'))
    order.push('now')
  })
  t.same(order, ['now', 'promised', 'soon'])
})

t.test('a sleep ends with the reason of its signal', async t => {
  const { timers } = realEnv()
  await timers.sleep(1)
  const controller = new AbortController()
  const sleep = timers.sleep(60_000, controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  const error = (await sleep.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as Error
  t.ok(error === reason || error.cause === reason, 'the reason is the error or its cause')
})

t.test('the log that is handed in is the one in use; without one nothing is written', async t => {
  const lines: unknown[] = []
  const note = (fields: object, message: string) => lines.push([fields, message])
  realEnv({ debug: note, info: note, warn: note, error: note }).log.warn({ op: 'put' }, 'slow')
  t.same(lines, [[{ op: 'put' }, 'slow']])
  t.doesNotThrow(() => realEnv().log.error({}, 'unheard'))
})
