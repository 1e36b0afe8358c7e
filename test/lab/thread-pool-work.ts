/** The thread of thread-pool.test.ts. */
import { threadId } from 'node:worker_threads'
import { workOn } from '../../src/lab/thread-pool.ts'

workOn(async (base: number) => async (values: number[], progress) => {
  let sum = base
  for (const value of values) {
    if (value < 0) throw new TypeError('No negative numbers.')
    progress(value)
    sum += value
  }
  return { sum, thread: threadId }
})
