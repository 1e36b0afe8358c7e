/**
 * One signal out of several. `AbortSignal.any` is not used: with Node.js 20 a source that lives as long as the process remembers each
 * signal that was ever made from it, and one that somebody listens to stays in memory for good (nodejs/node#54614).
 */
import { setMaxListeners } from 'node:events'
import { anySignal, type ClearableSignal } from 'any-signal'

/** Aborts when one of these does, with its reason. Whoever makes it calls `clear` once nobody needs it any more. */
export function eitherSignal(signals: readonly [AbortSignal, ...AbortSignal[]]): ClearableSignal {
  // Many things may wait for the end of one process at the same time, and Node.js 20 would warn of that.
  setMaxListeners(0, ...signals)
  return anySignal([...signals])
}
