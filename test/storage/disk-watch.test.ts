import t from 'tap'
import { DiskWatch, UNWATCHED } from '../../src/storage/disk-watch.ts'
import { manualEnv } from '../manual-env.ts'

/** An operation of a disk, that ends when it is told to. */
function operation<Result = string>() {
  let end = (_: Result) => {}
  let fail = (_: Error) => {}
  const promise = new Promise<Result>((resolve, reject) => {
    end = resolve
    fail = reject
  })
  return { promise, end, fail }
}

function watching() {
  const env = manualEnv()
  const hangs: string[] = []
  const watch = new DiskWatch(env, { onHang: ({ message }) => hangs.push(message) })
  const seconds = async (count: number) => {
    for (let second = 0; second < count; second++) await env.advance(1_000)
  }
  return { env, watch, hangs, seconds }
}

t.test('a disk that does nothing of what it was asked for hangs, until it does something', async t => {
  const { env, watch, hangs, seconds } = watching()
  const one = operation()
  const running = watch.during(one.promise)
  const late: string[] = []
  const waiting = watch.unlessHanging(running, result => late.push(result))
  const refused = t.rejects(waiting, { code: 'UNAVAILABLE', message: /does not answer/ })
  await seconds(5)
  t.same(hangs, [])
  await seconds(5)
  t.equal(hangs.length, 1, 'it is told once')
  await refused
  await t.rejects(
    watch.unlessHanging(operation().promise),
    { code: 'UNAVAILABLE' },
    'and so is who comes now',
  )
  one.end('done')
  t.equal(await running, 'done', 'what was begun goes on')
  await seconds(1)
  t.same(late, ['done'])
  t.equal(await watch.unlessHanging(Promise.resolve('again')), 'again')
  await seconds(60)
  t.equal(env.waiting, 0, 'nobody looks at a disk that has nothing to do')
  t.equal(hangs.length, 1)
})

t.test('a disk that gets something done is slow, but for one operation that never ends', async t => {
  const { watch, hangs, seconds } = watching()
  const slow = operation()
  const running = watch.during(slow.promise)
  const others = async (count: number) => {
    for (let round = 0; round < count; round++) {
      const other = operation()
      const done = watch.during(other.promise)
      await seconds(5)
      other.end('done')
      await done
    }
  }
  await others(11)
  t.same(hangs, [], '55 seconds')
  await others(1)
  t.equal(hangs.length, 1, 'more than a minute')
  slow.fail(new Error('at last'))
  await t.rejects(running, { message: 'at last' })
  await t.rejects(watch.unlessHanging(Promise.reject(new Error('its own'))), { message: 'its own' })
})

t.test('a process that did not run has not waited', async t => {
  const { env, watch, hangs, seconds } = watching()
  const one = operation()
  const running = watch.during(one.promise)
  env.stall(600_000)
  await seconds(2)
  one.end('done')
  await running
  t.same(hangs, [])
  await seconds(2)
  // What begins after a quiet time waits from now on.
  const two = operation()
  const again = watch.during(two.promise)
  await seconds(5)
  t.same(hangs, [])
  watch.close()
  await seconds(5)
  t.same(hangs, [], 'nobody looks any more')
  two.end('done')
  t.equal(await again, 'done')
  t.equal(await UNWATCHED.during(Promise.resolve('as it is')), 'as it is')
})
