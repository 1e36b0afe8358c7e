import { EventEmitter } from 'node:events'
import t from 'tap'
import type { Timer, Timers } from '../../src/env.ts'
import { UploadSlots } from '../../src/http/upload-slots.ts'

/** Timers that fire when the test says so. */
function manualTimers() {
  const waiting = new Set<() => void>()
  const timers: Timers = {
    after(_delayMs, then): Timer {
      waiting.add(then)
      return { cancel: () => waiting.delete(then) }
    },
    soon: then => void setImmediate(then),
    sleep: () => Promise.reject(new Error('not used')),
  }
  return { timers, waiting }
}

function gate() {
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { open, opened }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

t.test('some go ahead, some wait in order, and the rest is told to come back', async t => {
  const { timers, waiting } = manualTimers()
  const slots = new UploadSlots({ timers }, { uploadsMax: 2, uploadQueueMax: 2, waitMs: 1 })
  const gates = [gate(), gate(), gate(), gate()]
  const order: number[] = []
  const response = new EventEmitter()
  const runs = gates.map(({ opened }, i) =>
    slots.gather(response, async () => {
      order.push(i)
      await opened
      return i
    }),
  )
  await t.rejects(
    slots.gather(response, async () => {}),
    { code: 'OVERLOADED', retryAfterSeconds: 2 },
  )
  t.equal(slots.taken, 2)
  t.equal(slots.waiting, 2)
  gates[1]?.open()
  await runs[1]
  await turn()
  t.same(order, [0, 1, 2])
  for (const { open } of gates) open()
  t.same(await Promise.all(runs), [0, 1, 2, 3])
  t.equal(slots.taken, 0)
  t.equal(waiting.size, 0, 'no timer is left')
  t.equal(response.listenerCount('close'), 0)
})

t.test('who waits too long or goes away leaves the queue, and a failure frees its place', async t => {
  const { timers, waiting } = manualTimers()
  const slots = new UploadSlots({ timers }, { uploadsMax: 1, uploadQueueMax: 9, waitMs: 1 })
  const held = gate()
  const first = slots.gather(new EventEmitter(), async () => {
    await held.opened
    throw new TypeError('failed')
  })
  const late = slots.gather(new EventEmitter(), async () => {})
  for (const then of [...waiting]) then()
  await t.rejects(late, { code: 'OVERLOADED' })
  const response = new EventEmitter()
  const gone = slots.gather(response, async () => {})
  response.emit('close')
  await t.rejects(gone, { code: 'INVALID_REQUEST' })
  t.equal(slots.waiting, 0)
  held.open()
  await t.rejects(first, TypeError)
  t.equal(await slots.gather(new EventEmitter(), async () => 'next'), 'next')
})

t.test('a body that goes on as it comes waits for nobody, up to a bound for all together', async t => {
  const { timers } = manualTimers()
  const slots = new UploadSlots({ timers }, { uploadsMax: 1, uploadQueueMax: 2, waitMs: 1 })
  const held = gate()
  const gathering = slots.gather(new EventEmitter(), () => held.opened)
  const waiting = slots.gather(new EventEmitter(), () => held.opened)
  const streaming = slots.stream(() => held.opened)
  t.equal(slots.taken, 2)
  t.equal(slots.waiting, 1)
  for (const one of [
    () => slots.stream(async () => {}),
    () => slots.gather(new EventEmitter(), async () => {}),
  ]) {
    await t.rejects(one(), { code: 'OVERLOADED', retryAfterSeconds: 2 })
  }
  held.open()
  await Promise.all([gathering, waiting, streaming])
  t.equal(slots.taken + slots.waiting, 0)
  await t.rejects(
    slots.stream(async () => {
      throw new TypeError('failed')
    }),
    TypeError,
  )
  t.equal(await slots.stream(async () => 'next'), 'next')
})
