/**
 * What is done to many files one after the other: folders are what paths have in common, so renaming or removing one is
 * renaming or removing each file in it.
 */
import { forget, list, move, remove, restore } from './api.js'

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
 * @template Item
 * @param {readonly Item[]} items
 * @param {(item: Item) => Promise<unknown>} act
 * @param {{ signal: AbortSignal, onProgress: (done: number) => void }} options
 * @throws the first failure, once those that had begun are over
 */
async function each(items, act, { signal, onProgress }) {
  let [next, done] = [0, 0]
  /** @type {unknown} */
  let failure
  const work = async () => {
    while (next < items.length && failure === undefined && !signal.aborted) {
      const item = /** @type {Item} */ (items[next++])
      try {
        await act(item)
        onProgress(++done)
      } catch (error) {
        failure ??= error
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (failure !== undefined) throw failure
}

/**
 * @param {readonly string[]} paths
 * @param {{ signal: AbortSignal, onProgress: (done: number) => void }} options
 * @param {string[]} removed takes those that this has removed
 */
export function removeAll(paths, options, removed = []) {
  const one = async (/** @type {string} */ path) => {
    try {
      await remove(path, options.signal)
      removed.push(path)
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'FILE_NOT_FOUND') throw error
    }
  }
  return each(paths, one, options)
}

/**
 * @template {{ path: string, version?: string }} What
 * @param {readonly What[]} versions
 * @param {{ signal: AbortSignal, onProgress: (done: number) => void, overwrite?: boolean }} options
 * @param {What[]} taken takes those whose path has a file by now
 */
export function restoreAll(versions, { overwrite = false, ...options }, taken = []) {
  const one = async (/** @type {What} */ what) => {
    const { path, version } = what
    try {
      await restore({ path, overwrite, ...(version !== undefined && { version }) }, options.signal)
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'FILE_EXISTS') throw error
      taken.push(what)
    }
  }
  return each(versions, one, options)
}

/**
 * @param {readonly { path: string, version: string }[]} versions
 * @param {{ signal: AbortSignal, onProgress: (done: number) => void }} options
 */
export function forgetAll(versions, options) {
  return each(versions, version => forget(version, options.signal), options)
}

/**
 * Moves files from one folder, or path, to another.
 * @param {readonly string[]} paths
 * @param {{ from: string, to: string, signal: AbortSignal, onProgress: (done: number) => void }} options
 */
export function moveAll(paths, { from, to, ...options }) {
  return each(paths, path => move(path, to + path.slice(from.length)), options)
}
