/**
 * Loaded into a node before anything else (`--import`): from SIGUSR2 on it sends other nodes the head of each answer and nothing more,
 * until the next one.
 * With TEST_HANG=stop its process stands still (SIGSTOP) as soon as the first such head has left; with TEST_HANG=bodies only bodies stop,
 * each after its first piece.
 */
import { ServerResponse } from 'node:http'

const { TEST_HANG } = process.env
let hangs = false
process.on('SIGUSR2', () => {
  hangs = !hangs
})

const { end, write } = ServerResponse.prototype
const begun = new WeakSet()

function isBody({ req }) {
  return req.url.startsWith('/peer/bodies/')
}

ServerResponse.prototype.write = function (...given) {
  if (!hangs || !isBody(this)) return write.apply(this, given)
  if (TEST_HANG !== 'bodies') this.flushHeaders()
  else if (!begun.has(this)) write.apply(this, given)
  begun.add(this)
  return true
}

ServerResponse.prototype.end = function (...given) {
  const isSpared = !this.req.url.startsWith('/peer/') || (TEST_HANG === 'bodies' && !isBody(this))
  if (!hangs || isSpared) return end.apply(this, given)
  this.flushHeaders()
  // What was written leaves after this turn of the event loop.
  if (TEST_HANG === 'stop') setImmediate(() => setImmediate(() => process.kill(process.pid, 'SIGSTOP')))
  return this
}
