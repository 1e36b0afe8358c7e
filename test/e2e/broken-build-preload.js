/**
 * Loaded into a node before anything else (`--import`): the program that it runs has a broken invariant. Whoever writes
 * below `break/` there gets a number that is lower than one which the view has given before.
 */
import { register } from 'node:module'

const hooks = `
export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context)
  if (!url.endsWith('/src/replication/chain/writing.ts')) return loaded
  const text = loaded.source.toString()
  const right = 'seq: before.seq + 1 }'
  if (!text.includes(right)) throw new Error('The line to break has moved.')
  const wrong = "seq: before.seq + (request.path.startsWith('break/') ? -1 : 1) }"
  return { ...loaded, source: text.replace(right, wrong) }
}`

register(`data:text/javascript,${encodeURIComponent(hooks)}`)
