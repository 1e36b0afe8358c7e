import t from 'tap'
import { forEachAtOnce, limited, PARALLEL_MAX, parseParallel } from '../../src/cli/transfers.ts'

const never = new AbortController().signal

t.test('as many at once as allowed, no more, in order', async t => {
  let running = 0
  let most = 0
  const begun: number[] = []
  const work = async (item: number) => {
    begun.push(item)
    running += 1
    most = Math.max(most, running)
    await new Promise(resolve => setImmediate(resolve))
    running -= 1
  }
  const items = Array.from({ length: 20 }, (_, i) => i)
  await forEachAtOnce(items, { parallel: 3, signal: never }, work, () => t.fail('nothing fails'))
  t.equal(most, 3)
  t.same(begun, items)
})

t.test('a limit within what runs at once: the others wait in order, and a failure makes room', async t => {
  const atMost = limited(2)
  const ends: ((error?: Error) => void)[] = []
  const begun: number[] = []
  const calls = [0, 1, 2, 3].map(item =>
    atMost(() => {
      begun.push(item)
      return new Promise<number>((resolve, reject) => {
        ends[item] = error => (error === undefined ? resolve(item) : reject(error))
      })
    }),
  )
  const settled = Promise.allSettled(calls)
  t.same(begun, [0, 1])
  ends[1]?.(new Error('bad'))
  await t.rejects(calls[1] as Promise<number>, /bad/)
  t.same(begun, [0, 1, 2])
  ends[0]?.()
  await calls[0]
  t.same(begun, [0, 1, 2, 3])
  ends[2]?.()
  ends[3]?.()
  t.same(
    (await settled).map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  )
})

t.test('a failure of one is told and does not end the others', async t => {
  const failed: [number, string][] = []
  const done: number[] = []
  await forEachAtOnce(
    [1, 2, 3, 4],
    { parallel: 2, signal: never },
    async item => {
      if (item % 2 === 0) throw new Error('even')
      done.push(item)
    },
    (item, error) => failed.push([item, (error as Error).message]),
  )
  t.same(done, [1, 3])
  t.same(failed, [
    [2, 'even'],
    [4, 'even'],
  ])
})

t.test('an error of the source ends all, after what runs has ended', async t => {
  let running = 0
  const source = async function* () {
    yield 1
    yield 2
    throw new Error('the list broke')
  }
  const work = async () => {
    running += 1
    await new Promise(resolve => setImmediate(resolve))
    running -= 1
  }
  const all = forEachAtOnce(source(), { parallel: 4, signal: never }, work, () => {})
  await t.rejects(all, { message: 'the list broke' })
  t.equal(running, 0)
})

t.test('an aborted signal ends all and is no failure of a file', async t => {
  const controller = new AbortController()
  const reason = new Error('interrupted')
  const seen: number[] = []
  const all = forEachAtOnce(
    [1, 2, 3, 4],
    { parallel: 1, signal: controller.signal },
    async item => {
      seen.push(item)
      controller.abort(reason)
      throw new Error('ended by the signal')
    },
    () => t.fail('a failure was told'),
  )
  await t.rejects(all, reason)
  t.same(seen, [1])
})

t.test('--parallel is a number within its bounds', async t => {
  t.equal(parseParallel('1'), 1)
  t.equal(parseParallel(String(PARALLEL_MAX)), PARALLEL_MAX)
  for (const text of ['0', '65', 'x', '', '1.5', '-1']) {
    t.throws(() => parseParallel(text), { code: 'commander.invalidArgument' }, text)
  }
})
