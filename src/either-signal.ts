/**
 * One signal out of several. `AbortSignal.any` is not used here: with Node.js 20 and 24 a source that lives as long as the process
 * remembers each signal that was ever made from it (nodejs/node#54614), and one that somebody listens to stays in memory for good.
 */
import { setMaxListeners } from 'node:events'
import { anySignal, type ClearableSignal } from 'any-signal'

/** Aborts when one of these does, with its reason. Whoever makes it calls `clear` once nobody needs it any more. */
export function eitherSignal(signals: readonly AbortSignal[]): ClearableSignal {
  // Many things may wait for the end of one process at the same time.
  setMaxListeners(0, ...signals)
  return anySignal([...signals])
}
