/**
 * What is done to many files one after the other: folders are what paths have in common, so renaming or removing one is
 * renaming or removing each file in it.
 */
import { list, move, remove } from './api.js'

/** Requests at once. */
const AT_ONCE = 4

/**
 * Every file of some rows, those below folders included.
 * @param {readonly string[]} places
 * @param {AbortSignal} signal
 */
export async function filesIn(places, signal) {
  /** @type {import('./api.js').StoredFile[]} */
  const files = []
  const paths = []
  for (const place of places) {
    if (!place.endsWith('/')) {
      paths.push(place)
      continue
    }
    for await (const batch of list(place, { deep: true, signal }))
      for (const file of batch) if ('path' in file) files.push(file)
  }
  return [...paths, ...files.map(({ path }) => path)]
}

/**
 * @param {readonly string[]} paths
 * @param {(path: string) => Promise<unknown>} act
 * @param {{ signal: AbortSignal, onProgress: (done: number) => void }} options
 * @throws the first failure, once those that had begun are over
 */
async function each(paths, act, { signal, onProgress }) {
  let [next, done] = [0, 0]
  /** @type {unknown} */
  let failure
  const work = async () => {
    while (next < paths.length && failure === undefined && !signal.aborted) {
      const path = /** @type {string} */ (paths[next++])
      try {
        await act(path)
        onProgress(++done)
      } catch (error) {
        failure ??= error
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (failure !== undefined) throw failure
}

/** @param {readonly string[]} paths @param {{ signal: AbortSignal, onProgress: (done: number) => void }} options */
export function removeAll(paths, options) {
  const isGone = (/** @type {any} */ error) => {
    if (error.code !== 'FILE_NOT_FOUND') throw error
  }
  return each(paths, path => remove(path, options.signal).catch(isGone), options)
}

/**
 * Moves files from one folder, or path, to another.
 * @param {readonly string[]} paths
 * @param {{ from: string, to: string, signal: AbortSignal, onProgress: (done: number) => void }} options
 */
export function moveAll(paths, { from, to, ...options }) {
  return each(paths, path => move(path, to + path.slice(from.length)), options)
}
