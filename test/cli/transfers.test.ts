import t from 'tap'
import { forEachAtOnce, PARALLEL_MAX, parseParallel } from '../../src/cli/transfers.ts'

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
