/**
 * `altered-chord overlay --watch`: the same picture again and again, and below it who believes what about whom, since when and why.
 */

import type { StoreClient } from '../client/client.ts'
import { errorCode } from '../errors.ts'
import { type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session } from './session.ts'

/** Between two pictures, ms. */
const PICTURE_MS = 2_000

/** Nodes whose beliefs are shown; a screen has no room for more. */
const NODES_SHOWN_MAX = 20

/** Clears the terminal and goes to its first place. */
const CLEAR = '\u001b[2J\u001b[H'

interface Believed {
  readonly address: string
  readonly belief: string
  readonly forSeconds: number
  readonly reason: string
  readonly by: readonly string[]
}

interface NodeStatus {
  readonly gossip?: { readonly health: number; readonly members: readonly Believed[] }
}

/** Shows `picture` and the beliefs until the user interrupts, or so many times. */
export async function watchOverlay(
  session: Session,
  options: ConnectionOptions,
  client: StoreClient,
  init: { readonly picture: () => Promise<readonly string[]>; readonly times: number },
): Promise<void> {
  for (let shown = 0; shown < init.times && !session.signal.aborted; shown++) {
    if (shown > 0) await session.env.timers.sleep(PICTURE_MS, session.signal).catch(() => undefined)
    if (session.signal.aborted) return
    const lines = [...(await init.picture()), '', ...(await beliefs(session, options, client))]
    if (session.stdout.isTTY) session.stdout.write(CLEAR)
    for (const line of lines) await print(session, line)
  }
}

/** A line for each node that is active, and one for each of its beliefs that is a doubt. */
async function beliefs(session: Session, options: ConnectionOptions, client: StoreClient): Promise<string[]> {
  const { active } = await client.activeNodes({ signal: session.signal })
  const asked = active.slice(0, NODES_SHOWN_MAX)
  const lines = await Promise.all(
    asked.map(address => beliefsOf(session, { ...options, node: address }, address)),
  )
  const left = active.length - asked.length
  return [...lines.flat(), ...(left > 0 ? [`and ${left} more nodes`] : [])]
}

async function beliefsOf(session: Session, options: ConnectionOptions, address: string): Promise<string[]> {
  try {
    return await withClient(session, { ...options, direct: false }, async client => {
      const { gossip } = (await client.status({ signal: session.signal })) as NodeStatus
      if (gossip === undefined) return [`${address} does not gossip`]
      const { members, health } = gossip
      const ill = health === 0 ? '' : `, and doubts itself (${health} of 8)`
      const doubted = members.filter(({ belief }) => belief !== 'alive')
      return [
        `${address} believes ${members.length - doubted.length} of ${members.length} to be alive${ill}`,
        ...doubted.map(doubtLine),
      ]
    })
  } catch (error) {
    if (errorCode(error) === undefined) throw error
    return [`${address} does not say what it believes: ${(error as Error).message}`]
  }
}

function doubtLine({ address, belief, forSeconds, reason, by }: Believed): string {
  const observers = by.length === 0 ? '' : ` (${by.join(', ')})`
  return `  ${address}  ${belief} for ${forSeconds} s: ${reason}${observers}`
}
