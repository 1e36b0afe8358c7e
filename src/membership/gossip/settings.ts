/**
 * How often a node gossips and how long it waits for the others: what a settings file may say, with bounds and defaults, and
 * the wait that a network of a given size needs.
 */
import { createRequire } from 'node:module'
import { PAIR_TTL_MAX_MS } from '../../calls/gossip-message.ts'
import { StoreError } from '../../errors.ts'
import { formatQuantity, parseQuantity, type Unit } from '../../quantity.ts'

export interface GossipSettings {
  /** Between two rounds of a node, ms. */
  readonly periodMs: number
  /** Nodes that are told in each round. */
  readonly fanOut: number
  /** A member whose heartbeat has not grown for so long is suspected, ms: T_fail of van Renesse, Minsky & Hayden (1998). */
  readonly failMs: number
  /** How long a pair counts whose TTL nobody named, ms. */
  readonly ttlMs: number
}

interface Bounds {
  readonly name: keyof GossipSettings
  readonly unit: Unit
  readonly default: number
  readonly min: number
  readonly max: number
}

/** By the name of the field in the file. All bounds are included. */
export const GOSSIP_FIELDS = {
  // News is everywhere within some ten rounds; a shorter period costs bytes in proportion.
  period: { name: 'periodMs', unit: 'ms', default: 1_000, min: 100, max: 60_000 },
  // One near node and one far one (targets.ts).
  'fan-out': { name: 'fanOut', unit: 'count', default: 2, min: 1, max: 8 },
  // Longer than a pause of a busy machine, shorter than anybody's patience.
  't-fail': { name: 'failMs', unit: 'ms', default: 10_000, min: 500, max: 3_600_000 },
  // Pairs are hints: what has to last belongs into a file.
  ttl: { name: 'ttlMs', unit: 'ms', default: 60_000, min: 1_000, max: PAIR_TTL_MAX_MS },
} as const satisfies Record<string, Bounds>

export const GOSSIP_DEFAULTS = Object.fromEntries(
  Object.values(GOSSIP_FIELDS).map(({ name, default: standard }) => [name, standard]),
) as unknown as GossipSettings

/** Bytes of a settings file; four lines need two hundred. */
export const GOSSIP_FILE_BYTES_MAX = 16 * 1024

/**
 * Periods that T_fail needs for each doubling of the network, and for the two that even a pair of nodes needs: a heartbeat is with all
 * who watch it after about log2 N rounds, and as much again covers the unlucky (docs/experiments/gossip).
 */
const PERIODS_PER_DOUBLING = 2

/** The shortest T_fail at which a network of that many nodes suspects nobody who is well, ms. */
export function failMsNeeded({ periodMs }: Pick<GossipSettings, 'periodMs'>, nodes: number): number {
  return Math.ceil(PERIODS_PER_DOUBLING * (Math.log2(Math.max(2, nodes)) + 2) * periodMs)
}

/** T_fail of a network of that many nodes, ms: the configured one, or what is needed when that is more. */
export function failMsFor(settings: Pick<GossipSettings, 'periodMs' | 'failMs'>, nodes: number): number {
  return Math.max(settings.failMs, failMsNeeded(settings, nodes))
}

/**
 * The settings that a file has; what it does not name has its default.
 * @param file its name, for messages.
 * @throws StoreError INVALID_REQUEST with a sentence that names the field, what it is, and what it can be.
 */
export function parseGossipSettings(text: string, file: string): GossipSettings {
  const fields = fieldsOf(text, file)
  const settings: Record<string, number> = { ...GOSSIP_DEFAULTS }
  for (const [field, value] of Object.entries(fields)) {
    if (!Object.hasOwn(GOSSIP_FIELDS, field))
      throw refusal(`${file} has the field "${field}"; there are ${Object.keys(GOSSIP_FIELDS).join(', ')}.`)
    const { name, unit, min, max } = GOSSIP_FIELDS[field as keyof typeof GOSSIP_FIELDS]
    const written = typeof value === 'number' || typeof value === 'string' ? String(value) : undefined
    const amount = written === undefined ? undefined : parseQuantity(written, unit)
    if (amount === undefined || amount < min || amount > max) {
      const shown = written ?? JSON.stringify(value)
      const hint = unit === 'ms' ? ', as in 10s' : ''
      const bounds = `${formatQuantity(min, unit)} to ${formatQuantity(max, unit)}`
      throw refusal(`${field} in ${file} is "${shown}", and can be ${bounds}${hint}.`)
    }
    settings[name] = amount
  }
  return settings as unknown as GossipSettings
}

function fieldsOf(text: string, file: string): Record<string, unknown> {
  if (Buffer.byteLength(text) > GOSSIP_FILE_BYTES_MAX)
    throw refusal(`${file} has more than ${formatQuantity(GOSSIP_FILE_BYTES_MAX, 'bytes')}.`)
  let value: unknown
  try {
    // Loaded where there is such a file: most nodes have none.
    const { parse } = createRequire(import.meta.url)('yaml') as typeof import('yaml')
    value = parse(text, { maxAliasCount: 0 })
  } catch (cause) {
    const [line] = String((cause as Error).message).split('\n')
    throw refusal(`${file} is not YAML: ${line?.replace(/:$/, '')}.`, cause)
  }
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw refusal(`${file} has no fields; a line is as "t-fail: 10s".`)
  return value as Record<string, unknown>
}

function refusal(message: string, cause?: unknown): StoreError {
  return new StoreError('INVALID_REQUEST', message, cause === undefined ? {} : { cause })
}
