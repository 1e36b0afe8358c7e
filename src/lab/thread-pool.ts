/**
 * Worker threads that do tasks of one kind, each thread one after the other: the seeds of the simulator and of the
 * experiments.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'

/** The beginning of a thread, in JavaScript: on Node 20 `--import tsx` reaches only the main thread. */
const THREAD_START = `
const { workerData } = require('node:worker_threads')
import(workerData.loader).then(({ register }) => {
  register()
  return import(workerData.entry)
})`

export interface ThreadPoolInit {
  /** The module of the thread, which calls workOn(). */
  readonly entry: URL
  /** What that module needs before the first task: anything that can be cloned. */
  readonly data?: unknown
  readonly threads: number
}

/** What a thread says: how far it has come, or what a task led to. */
type Said<Result> = { readonly progress: number } | { readonly result: Result }

export class ThreadPool<Task, Result> {
  readonly #workers: readonly Worker[]
  readonly #idle: Worker[]
  readonly #waiting: ((worker: Worker) => void)[] = []

  constructor({ entry, data, threads }: ThreadPoolInit) {
    const start = { entry: entry.href, loader: import.meta.resolve('tsx/esm/api'), data }
    this.#workers = Array.from(
      { length: threads },
      () => new Worker(THREAD_START, { eval: true, workerData: start, execArgv: [] }),
    )
    this.#idle = [...this.#workers]
  }

  /**
   * Has a task done by the next thread that is free. A thread that failed is not used again.
   * @param onProgress called with what the task reports on its way.
   * @throws what the thread threw, or TypeError when it ended.
   */
  async run(task: Task, onProgress: (steps: number) => void = () => {}): Promise<Result> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>(resolve => this.#waiting.push(resolve)))
    const result = await ask<Task, Result>(worker, task, onProgress)
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(worker)
    else next(worker)
    return result
  }

  /** Ends the threads, whatever they do. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }
}

/**
 * In the module of a thread: does each task that comes.
 * @param prepare makes the work from the pool's `data`; what it throws ends the thread.
 */
export function workOn<Data, Task, Result>(
  prepare: (data: Data) => Promise<(task: Task, progress: (steps: number) => void) => Promise<Result>>,
): void {
  const work = prepare((workerData as { data: Data }).data)
  const say = (said: Said<Result>) => parentPort?.postMessage(said)
  parentPort?.on('message', async (task: Task) => {
    say({ result: await (await work)(task, steps => say({ progress: steps })) })
  })
}

function ask<Task, Result>(worker: Worker, task: Task, onProgress: (steps: number) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    const done = () => {
      worker.off('message', onMessage)
      worker.off('error', onError)
      worker.off('exit', onExit)
    }
    const onMessage = (said: Said<Result>) => {
      if ('progress' in said) return onProgress(said.progress)
      done()
      resolve(said.result)
    }
    const onError = (error: Error) => {
      done()
      reject(error)
    }
    const onExit = (code: number) => {
      done()
      reject(new TypeError(`A thread of the laboratory ended with ${code}.`))
    }
    worker.on('message', onMessage)
    worker.on('error', onError)
    worker.on('exit', onExit)
    worker.postMessage(task)
  })
}
