/**
 * The experiment on memory: what an idle node holds, in networks of growing size, and how large its map is.
 */
import type { Env } from '../../env.ts'
import type { LearningMode } from '../../routing/learning.ts'
import { RealNetwork, type RealNetworkInit } from './real-network.ts'

export interface MemoryScenario {
  readonly nodes: number
  readonly virtualNodes: number
  readonly replicas: number
  readonly learn: LearningMode
}

/** Of one network whose nodes keep their data on a disk, once its ring is whole and nobody has used it. */
export interface MemoryFigure {
  readonly scenario: MemoryScenario
  /** Anonymous resident memory (RssAnon) of each node, bytes. */
  readonly residentBytes: readonly number[]
  /** Other nodes in the map of each. */
  readonly mapSizes: readonly number[]
}

/** How long nodes are left alone before they are looked at, ms: the garbage of their start has time to go. */
const IDLE_MS = 10_000

/** @throws as RealNetwork.start; UNAVAILABLE where the system does not tell; the reason of the signal. */
export async function measureMemory(
  { env }: { readonly env: Env },
  scenario: MemoryScenario,
  { signal, started }: Pick<RealNetworkInit, 'signal' | 'started'>,
): Promise<MemoryFigure> {
  const network = await RealNetwork.start(
    { env },
    { ...scenario, keep: 'disk', signal, ...(started && { started }) },
  )
  try {
    await env.timers.sleep(IDLE_MS, signal)
    return {
      scenario,
      residentBytes: await network.residentBytes(),
      mapSizes: await network.mapSizes(),
    }
  } finally {
    await network.close()
  }
}
