/**
 * The way of a node out of its network: it says that it leaves, goes on serving while the others take over its
 * ranges, and is done when none of them needs it any more.
 */
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { NodeStatus } from '../routing/map-record.ts'

/** How long the others may take, ms. It bounds a stuck departure; a terabyte at 1 Gbit/s takes two hours and more. */
export const DEPARTURE_TIMEOUT_MS = 4 * 60 * 60 * 1000

/** Without progress of the kind that a protocol can see, it is reminded after so long, ms: a lost message is made up. */
const REMIND_MS = 2_000

/** How often the others are asked, ms: at first quickly, because small networks are done in less than a second. */
const ASK_MS_MIN = 50
const ASK_MS_MAX = 1_000

export interface DepartureComponents {
  readonly env: Env
  readonly signal: AbortSignal
  /** True when there is another live node. */
  readonly hasOthers: boolean
  /** Kept here. */
  readonly files: number
  /** Changes this node's own record, and tells everybody. */
  readonly become: (status: NodeStatus) => Promise<void>
  /** True when by the word of the others no range needs this node and each is complete. */
  readonly isFree: () => Promise<boolean>
  /** Makes the machine look after everything that is unfinished. */
  readonly remind: () => void
}

/**
 * Resolves when this node is free to go.
 * @throws StoreError UNAVAILABLE: nobody could take the files, or not in time. The node is a member as before.
 */
export async function handOver(
  components: DepartureComponents,
  timeoutMs = DEPARTURE_TIMEOUT_MS,
): Promise<void> {
  const { env, signal, hasOthers, files, become } = components
  if (!hasOthers) {
    if (files === 0) return
    throw new StoreError('UNAVAILABLE', 'No other node is there to take the files of this one.')
  }
  await become('left')
  try {
    await untilFree(components, env.clock.monotonicMs() + timeoutMs)
  } catch (error) {
    // A node that stops comes back by itself; nobody needs to be told.
    if (!signal.aborted) await become('alive')
    throw error
  }
}

async function untilFree(components: DepartureComponents, deadlineMs: number): Promise<void> {
  const { env, signal, isFree, remind } = components
  let remindAtMs = env.clock.monotonicMs() + REMIND_MS
  for (let pauseMs = ASK_MS_MIN; !(await isFree()); pauseMs = Math.min(ASK_MS_MAX, pauseMs * 2)) {
    const nowMs = env.clock.monotonicMs()
    if (nowMs >= deadlineMs)
      throw new StoreError(
        'UNAVAILABLE',
        'The others have not taken over everything in time; nothing is lost.',
      )
    if (nowMs >= remindAtMs) {
      remind()
      remindAtMs = nowMs + REMIND_MS
    }
    await env.timers.sleep(pauseMs, signal)
  }
}
