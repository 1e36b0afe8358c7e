/**
 * The waits of the simulated nodes, and how their links behave when nothing troubles them.
 */
import type { ChainSettings } from '../../replication/chain/machine-state.ts'
import { QUIET_LINK } from './simulated-network.ts'

/** Waits of the simulated nodes, ms: some round trips of the simulated network. */
export const SIMULATED_SETTINGS: ChainSettings = {
  replicas: 3,
  minReplicas: 2,
  answerTimeoutMs: 25,
  requestTimeoutMs: 500,
  resendMs: 25,
  retryMs: 5,
  silencesMax: 3,
  listedMax: 16,
  differenceBytesMax: 512 * 1024,
  stagedMs: 400,
  spareMs: 200,
  outcomesKeptMs: 2_500,
  trashMs: 0,
}

export const LINK = { ...QUIET_LINK, delayMinMs: 0.3, delayMaxMs: 4 }
