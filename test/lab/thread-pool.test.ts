import t from 'tap'
import { ThreadPool } from '../../src/lab/thread-pool.ts'

/** What thread-pool-work.ts does: it reports each unit, then gives the sum and its thread. */
interface Sum {
  readonly sum: number
  readonly thread: number
}

function poolOf(threads: number, data = 0) {
  const entry = new URL('./thread-pool-work.ts', import.meta.url)
  return new ThreadPool<number[], Sum>({ entry, data, threads })
}

t.test('tasks are done by all threads, each answer goes to its asker, and progress is told', async t => {
  const pool = poolOf(2, 100)
  t.teardown(() => pool.close())
  const told: number[] = []
  const tasks = Array.from({ length: 12 }, (_, index) => [index, index])
  const sums = await Promise.all(tasks.map(task => pool.run(task, steps => told.push(steps))))
  t.same(
    sums.map(({ sum }) => sum),
    tasks.map(([value = 0]) => 100 + 2 * value),
  )
  t.equal(new Set(sums.map(({ thread }) => thread)).size, 2)
  t.same(
    told.sort((a, b) => a - b),
    tasks.flat().sort((a, b) => a - b),
  )
})

t.test('what a thread throws is what the asker gets, and a thread that ends is an error', async t => {
  const pool = poolOf(1)
  t.teardown(() => pool.close())
  await t.rejects(pool.run([-1]), { message: 'No negative numbers.' })
  const ended = poolOf(1)
  const waiting = ended.run([1, 2, 3])
  await Promise.all([t.rejects(waiting, { message: /A thread of the laboratory ended/ }), ended.close()])
})
