import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { VIRTUAL_START_MS, VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

t.test('events happen by time, then in the order in which they were asked for', async () => {
  fc.assert(
    fc.property(fc.array(fc.record({ atMs: fc.nat({ max: 20 }), cancelled: fc.boolean() })), events => {
      const clock = new VirtualClock()
      const seen: number[] = []
      const timers = events.map(({ atMs }, index) =>
        clock.after(atMs, () => {
          assert.equal(clock.monotonicMs(), atMs)
          seen.push(index)
        }),
      )
      events.forEach(({ cancelled }, index) => {
        if (cancelled) timers[index]?.cancel()
      })
      const expected = events
        .map((event, index) => ({ ...event, index }))
        .filter(event => !event.cancelled)
        .sort((a, b) => a.atMs - b.atMs || a.index - b.index)
        .map(event => event.index)
      assert.equal(clock.waiting, expected.length)
      while (clock.step());
      assert.deepEqual(seen, expected)
      assert.equal(clock.steps, expected.length)
      assert.equal(clock.waiting, 0)
    }),
    { numRuns: 60 },
  )
})

t.test('an event may ask for others, at the same moment and later', async t => {
  const clock = new VirtualClock()
  const seen: string[] = []
  clock.after(5, () => {
    seen.push('a')
    clock.after(0, () => seen.push('c'))
    clock.after(1, () => seen.push('d'))
  })
  clock.after(5, () => seen.push('b'))
  clock.runUntil(5)
  t.same(seen, ['a', 'b', 'c'])
  t.equal(clock.nextMs(), 6)
  clock.runUntil(100)
  t.same(seen, ['a', 'b', 'c', 'd'])
  t.equal(clock.monotonicMs(), 100)
  t.equal(clock.step(), false)
  for (const delayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => clock.after(delayMs, () => {}), TypeError)
  }
})

t.test('cancelling twice, or after it happened, changes nothing', async t => {
  const clock = new VirtualClock()
  const first = clock.after(1, () => {})
  const second = clock.after(2, () => t.fail('it was cancelled'))
  clock.step()
  first.cancel()
  t.equal(clock.waiting, 1)
  second.cancel()
  second.cancel()
  t.equal(clock.waiting, 0)
  t.equal(clock.nextMs(), undefined)
})

t.test('what an event throws comes out of the step', async t => {
  const clock = new VirtualClock()
  clock.after(1, () => {
    throw new Error('invariant')
  })
  clock.after(1, () => {})
  t.throws(() => clock.step(), { message: 'invariant' })
  t.equal(clock.step(), true, 'the next event is not lost')
})

t.test('ordinary async code runs in virtual time', async t => {
  const clock = new VirtualClock()
  const wall = { nowMs: () => clock.nowMs() + 250, monotonicMs: () => clock.monotonicMs() }
  const env = clock.env({ randomness: new SeededRandom(1), log, clock: wall })
  const seen: string[] = []
  const client = async (name: string, everyMs: number) => {
    for (let round = 0; round < 3; round++) {
      await env.timers.sleep(everyMs)
      await Promise.resolve().then(() => Promise.resolve())
      seen.push(`${name}${env.clock.monotonicMs()}`)
    }
    return name
  }
  const hour = 3_600_000
  const names = await clock.runAsync(Promise.all([client('a', 2 * hour), client('b', 3 * hour)]))
  t.same(names, ['a', 'b'])
  t.same(
    seen,
    ['a2', 'b3', 'a4', 'b6', 'a6', 'b9'].map(entry => `${entry[0]}${Number(entry[1]) * hour}`),
  )
  t.equal(env.clock.nowMs(), VIRTUAL_START_MS + 9 * hour + 250)
})

t.test('async code that can never go on is told so; what it throws comes out', async t => {
  const clock = new VirtualClock()
  await t.rejects(clock.runAsync(new Promise(() => {})), /waits for something/)
  await t.rejects(clock.runAsync(Promise.reject(new Error('mine'))), { message: 'mine' })
})

t.test('a sleep ends early with its signal', async t => {
  const clock = new VirtualClock()
  const control = new AbortController()
  clock.after(3, () => control.abort(new Error('enough')))
  await t.rejects(clock.runAsync(clock.sleep(10, control.signal)), { message: 'enough' })
  t.equal(clock.monotonicMs(), 3)
  t.equal(clock.waiting, 0, 'its timer is gone')
  await t.rejects(clock.sleep(10, control.signal), { message: 'enough' })
  t.equal(clock.waiting, 0)
})

t.test('with async code, time moves on when all promises are at rest', async t => {
  const clock = new VirtualClock()
  const seen: string[] = []
  const work = async () => {
    for (let turn = 0; turn < 3; turn++) await Promise.resolve()
    seen.push(`work at ${clock.monotonicMs()}`)
  }
  clock.after(1, () => void work())
  clock.after(2, () => seen.push('second'))
  await clock.runSettled(5)
  t.same(seen, ['work at 1', 'second'])
  t.equal(clock.monotonicMs(), 5)
})

t.test('what an event throws, and what it is told of, ends a run', async t => {
  const clock = new VirtualClock()
  clock.after(1, () => clock.attempt(() => Buffer.from('x').readUInt32LE(9)))
  clock.after(2, () => t.fail('nothing comes after it'))
  await t.rejects(clock.runSettled(5), RangeError)
  const other = new VirtualClock()
  other.after(1, () => {
    throw new TypeError('at once')
  })
  await t.rejects(other.runSettled(5), { message: 'at once' })
})
