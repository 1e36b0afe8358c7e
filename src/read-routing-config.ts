/**
 * How the settings of routing and of gossip become configuration; read-config.ts reads all others.
 */
import { readFileSync } from 'node:fs'
import type { NodeConfig } from './config.ts'
import { StoreError } from './errors.ts'
import { GOSSIP_DEFAULTS, type GossipSettings, parseGossipSettings } from './membership/gossip/settings.ts'
import { parseBoolean } from './settings.ts'

/** What a user gave, and how it is named in messages. */
interface Found {
  readonly text: string
  readonly label: string
}

/**
 * What Kelips has a node know comes with gossip, so it switches that on.
 * @throws StoreError INVALID_REQUEST where that was refused, and where lookups are to teach less than Kelips needs.
 */
export function readRouting({
  learn,
  routing,
  gossip: found,
}: Pick<NodeConfig, 'learn' | 'routing'> & { readonly gossip: Found | undefined }): Pick<
  NodeConfig,
  'learn' | 'routing' | 'gossip'
> {
  const gossip = readGossip(found)
  if (routing === 'path') return { learn, routing, gossip }
  if (found !== undefined && gossip === undefined)
    throw refusal(`${found.label} is false, and --routing kelips needs gossip.`)
  if (learn === 'chain') throw refusal('--learn chain has no meaning with --routing kelips.')
  return { learn, routing, gossip: gossip ?? GOSSIP_DEFAULTS }
}

function readGossip(found: Found | undefined): GossipSettings | undefined {
  if (found === undefined) return undefined
  const on = parseBoolean(found.text)
  if (on !== undefined) return on ? GOSSIP_DEFAULTS : undefined
  let text: string
  try {
    text = readFileSync(found.text, 'utf8')
  } catch (cause) {
    throw refusal(`${found.label} names ${found.text}, which cannot be read.`, cause)
  }
  return parseGossipSettings(text, found.text)
}

function refusal(message: string, cause?: unknown): StoreError {
  return new StoreError('INVALID_REQUEST', message, { cause })
}
