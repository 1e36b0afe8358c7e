/**
 * A large body goes to every replica before the write names it, to all of them at once. A replica that falls silent is not waited for, nor
 * one that leaves calls unanswered, though it is there: the write goes on, and whoever lacks the body then asks for it.
 */
import type { Env } from '../../env.ts'
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { NodeId } from '../../views/view.ts'
import type { BodyCarrier } from './body-carrier.ts'
import type { ChainDriver } from './driver.ts'
import type { BlobRef } from './messages.ts'

/** How often it is looked at whether a node to which a body is on its way counts as dead, ms. */
const LOOK_MS = 250

/** Every so many looks the node is asked whether it is there, and whether it has the body by now: each second. */
const LOOKS_PER_DOUBT = 4

export interface BodyDistributionComponents {
  readonly env: Pick<Env, 'timers'>
  readonly driver: Pick<ChainDriver, 'known' | 'tellMyself'>
  readonly carrier: Pick<BodyCarrier, 'fetch' | 'push' | 'leaveWays' | 'isAwaited'>
}

/** @param from a path whose replicas have the body, in case that this node has not. @throws StoreError as BodyCarrier.fetch. */
export async function distribute(
  components: BodyDistributionComponents,
  blob: BlobRef,
  position: Identifier,
  from: PathName | undefined,
): Promise<void> {
  const { carrier, driver } = components
  const { known } = driver
  const replicas = known.covering(position)?.replicas ?? []
  // What is staged here lies here; the body of a copy may lie elsewhere.
  if (replicas.includes(known.self)) await carrier.fetch(blob, from)
  // On its way ahead it may have met a node that is gone by now, or has no part in the range any more.
  const isWanted = (node: NodeId) =>
    known.isAlive(node) && known.covering(position)?.replicas.includes(node) === true
  const look = () => carrier.leaveWays(blob.blobId, isWanted)
  look()
  // One that can't be reached is the machine's to notice, and to replace.
  const others = replicas.filter(node => node !== known.self)
  await Promise.all(others.map(node => pushWhileAwaited(components, { node, blob, from, look })))
}

/** Resolves when a node has been sent a body, or will not be soon. */
async function pushWhileAwaited(
  { env, driver, carrier }: BodyDistributionComponents,
  { node, blob, from, look }: { node: NodeId; blob: BlobRef; from: PathName | undefined; look: () => void },
): Promise<void> {
  const ended = new AbortController()
  const push = carrier.push(node, blob, from).catch(() => undefined)
  const silence = async () => {
    for (let looks = 0; driver.known.isAlive(node); looks++) {
      await env.timers.sleep(LOOK_MS, ended.signal)
      look()
      if (looks % LOOKS_PER_DOUBT === 0) driver.tellMyself({ kind: 'suspect', node })
    }
  }
  const answer = async () => {
    do await env.timers.sleep(LOOK_MS * LOOKS_PER_DOUBT, ended.signal)
    while (await carrier.isAwaited(node, blob.blobId))
  }
  const others = [silence(), answer()].map(one => one.catch(() => undefined))
  await Promise.race([push, ...others])
  ended.abort()
  look()
}
