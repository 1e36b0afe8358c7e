/**
 * Preloaded before tsx: hands out one source file with one text replaced. What is on the disk stays as it is.
 * The environment says which: MUTANT is JSON with `file` (a path from the root of the repository), `find` and `replace`.
 * The process ends with the one that started it, also in the middle of an endless loop.
 */
import { readFileSync } from 'node:fs'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

const { MUTANT } = process.env
if (MUTANT !== undefined) {
  const { file, find, replace } = JSON.parse(MUTANT)
  const url = new URL(`../../${file}`, import.meta.url).href
  const parts = readFileSync(fileURLToPath(url), 'utf8').split(find)
  if (parts.length !== 2) throw new TypeError(`${file} has this text ${parts.length - 1} times: ${find}`)
  const data = { url, source: parts.join(replace) }
  const hooks = `
    let mutated
    export function initialize(data) { mutated = data }
    export async function load(url, context, next) {
      const loaded = await next(url, context)
      return url.split('?')[0] === mutated.url ? { ...loaded, source: mutated.source } : loaded
    }`
  register(`data:text/javascript,${encodeURIComponent(hooks)}`, { data })

  const watch = `
    const { ppid } = process
    setInterval(() => { if (process.ppid !== ppid) process.kill(process.pid, 'SIGKILL') }, 1000)`
  new Worker(watch, { eval: true, execArgv: [], env: {} }).unref()
}
