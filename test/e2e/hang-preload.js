/**
 * Loaded into a node before anything else (`--import`): from SIGUSR2 on it sends other nodes the head of each answer and nothing more,
 * until the next one.
 * With TEST_HANG=stop its process stands still (SIGSTOP) as soon as the first such head has left.
 */
import { ServerResponse } from 'node:http'

let hangs = false
process.on('SIGUSR2', () => {
  hangs = !hangs
})

const end = ServerResponse.prototype.end

ServerResponse.prototype.end = function (...given) {
  if (!hangs || !this.req.url.startsWith('/peer/')) return end.apply(this, given)
  this.flushHeaders()
  // What was written leaves after this turn of the event loop.
  if (process.env.TEST_HANG === 'stop')
    setImmediate(() => setImmediate(() => process.kill(process.pid, 'SIGSTOP')))
  return this
}
