/**
 * What a simulated world is like, drawn from its seed, or said by a schedule.
 */
import { hasBrokenLink } from './chain-troubles.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Virtual ms of trouble, in most worlds and in few. */
const TROUBLE_MS = 1500
const LONG_TROUBLE_MS = 15_000
const LONG_SHARE = 0.04

/** The share of the worlds in which the nodes gossip, too. */
const GOSSIP_SHARE = 0.3

/** The share of the worlds with gossip in which nodes route by Kelips. */
const KELIPS_SHARE = 0.4

/** The share of the worlds with a trash. */
const TRASH_SHARE = 0.7

/** The world of a run. A schedule may say some of it. */
export interface World {
  readonly nodes: number
  readonly founders: number
  readonly zones: number
  /** With few paths, a comparison has many steps only when digests are followed down to the leaves. */
  readonly listedMax: number
  /** Clients that ask what they draw; 0 leaves only those of the schedule. */
  readonly clients: number
  readonly paths: number
  /** Virtual ms. In a long world few paths are written by many, and a view lives for many writes. */
  readonly troubleMs: number
  /** The share of bodies that lie beside their records. Such bodies go round no broken link (docs/decisions/0192). */
  readonly large: number
  /** Whether an operator has all ranges checked again and again while the network heals; else only clients ask. */
  readonly verifies: boolean
  /** How long the outcomes of keys count, virtual ms: in some worlds many of them end while clients ask. */
  readonly outcomesKeptMs: number
  /** The nodes are whole: bodies have bytes, and nobody tells the nodes who the others are (docs/decisions/0250); not in some tests of the lab. */
  readonly whole: boolean
  /** Whether what is replaced or removed goes into a trash, which clients list, restore from and empty. */
  readonly trash: boolean
  /** Whether whole nodes gossip, with the settings that a node has by default. */
  readonly gossips: boolean
  /** How nodes route: all by path learning, all by Kelips, or every other one by each. */
  readonly routing: 'path' | 'kelips' | 'mixed'
}

export function worldOf(random: SeededRandom, given: Partial<World> = {}): World {
  const nodes = given.nodes ?? random.int(3, 7)
  const drawnMs = random.fork('length').chance(LONG_SHARE) ? LONG_TROUBLE_MS : TROUBLE_MS
  const { troubleMs = drawnMs } = given
  const whole = given.whole ?? true
  // What a schedule was kept for was timed without.
  const gossips =
    given.gossips ?? (given.whole === undefined && whole && random.fork('gossip').chance(GOSSIP_SHARE))
  return {
    troubleMs,
    nodes,
    founders: given.founders ?? (random.chance(0.6) ? nodes : random.int(3, nodes)),
    zones: given.zones ?? random.fork('zones').pick([0, 0, 2, 3]),
    listedMax: given.listedMax ?? random.fork('settings').pick([0, 1, 16]),
    clients: given.clients ?? random.int(2, 5),
    paths: given.paths ?? (troubleMs > TROUBLE_MS ? 2 : random.int(2, 6)),
    large: given.large ?? (hasBrokenLink(random) ? 0 : 0.3),
    verifies: given.verifies ?? random.fork('healing').chance(0.5),
    outcomesKeptMs: given.outcomesKeptMs ?? random.fork('keys').pick([1_500, 2_500, 2_500, 6_000]),
    whole,
    trash: given.trash ?? (given.whole === undefined && random.fork('trash').chance(TRASH_SHARE)),
    gossips,
    routing: given.routing ?? (gossips ? drawnRouting(random.fork('routing')) : 'path'),
  }
}

function drawnRouting(random: SeededRandom): World['routing'] {
  return random.chance(KELIPS_SHARE) ? random.pick(['kelips', 'kelips', 'mixed']) : 'path'
}

/** How one node routes; names are n1, n2, … */
export function routingOf(routing: World['routing'] | undefined, name: string): 'path' | 'kelips' {
  if (routing !== 'mixed') return routing ?? 'path'
  return Number(name.slice(1)) % 2 === 0 ? 'kelips' : 'path'
}
