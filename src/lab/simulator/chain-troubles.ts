/**
 * What troubles a seed draws: how links behave, what happens to whom and for how long; and those of which a seed has
 * one or none, because they last long or concern the whole network.
 */
import type { NemesisAction } from './scenario.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { NodeName } from './simulated-network.ts'

/** The kinds of trouble that a seed draws from, with their weights. */
const KINDS: readonly (readonly [string, number])[] = [
  ['crash', 10],
  ['pause', 6],
  ['cut', 6],
  ['partition', 5],
  ['wipe', 3],
  ['restore', 2],
  ['join', 4],
  ['depart', 3],
  ['renew', 8],
  ['half-renew', 5],
  ['collect', 6],
  ['expire', 3],
  ['fill', 2],
  ['rot', 3],
  ['skew', 3],
  ['slow', 3],
]

/** In worlds with whole nodes: a node changes its address, a link is slow, a node hears of a death that was none. */
const WHOLE_KINDS: readonly (readonly [string, number])[] = [
  ...KINDS,
  ['move', 5],
  ['slow-link', 4],
  ['wrong-map', 4],
]

/** Ms that a message takes on a slow link, at most. */
export const SLOW_LINK_MS = 60

/** Ms for which a trouble lasts. */
const LASTS_MS = [5, 250] as const

/** The share of the seeds in which a part of the network is cut off for long, with clients on both sides. */
const CUT_OFF_SHARE = 0.15

/** Ms for which it is: 20 to 60 waits for an answer. */
const CUT_OFF_MS = [500, 1500] as const

/** The share of the seeds in which one link is broken until the end, also while the rest heals. */
const BROKEN_LINK_SHARE = 0.12

/** The share of the seeds in which messages come once more when views and starts have gone by, and that of the messages. */
const AGAIN_SHARE = 0.2
const AGAIN_MESSAGES = 0.03
const AGAIN_MAX_MS = 6_000

/** How far a wall clock is off when a node is made, ms, in seeds with good clocks and with bad ones. */
const AHEAD_MS = 200
const FAR_AHEAD_MS = 30 * 3_600_000
const BAD_CLOCKS_SHARE = 0.3

/** Ms that a clock gains in one: some machines are off by a minute a day. */
const DRIFT = 0.001

/** How far a clock jumps, ms: forwards or back, as often by minutes as by hours, and by more than a key counts. */
const JUMP_MS = [100, 30 * 3_600_000] as const

/** Ms that the syncs of a slow disk take, at most. */
export const SLOW_SYNC_MS = [50, 3_000] as const

/** How all links behave, from now on. */
export function drawLinks(random: SeededRandom, atMs: number): NemesisAction {
  const bad = random.chance(0.7)
  const share = (most: number) => (bad && random.chance(0.6) ? random.between(0, most) : 0)
  const held = share(1)
  const [loss, repeat, late] = [share(0.06), share(0.15), share(0.12)]
  return { atMs, kind: 'links', loss, repeat, late, lateMaxMs: 400, held, ...drawAgain(random.fork('again')) }
}

/** One trouble. */
export function drawTrouble(
  random: SeededRandom,
  names: readonly NodeName[],
  atMs: number,
  isWhole = false,
): NemesisAction {
  const kind = drawKind(random, isWhole ? WHOLE_KINDS : KINDS)
  const node = random.pick([...names])
  const others = random.shuffle([...names])
  const lastsMs = random.between(LASTS_MS[0], LASTS_MS[1])
  const pick = random.next32()
  if (kind === 'skew') return { atMs, kind, node, byMs: drawJumpMs(random) }
  if (kind === 'slow') return { atMs, kind, node, lastsMs, syncMs: drawSyncMs(random) }
  if (kind === 'cut' || kind === 'slow-link') return { atMs, kind, from: others[0], to: others[1], lastsMs }
  if (kind === 'partition') {
    const size = random.int(1, others.length - 1)
    return { atMs, kind, groups: [others.slice(0, size), others.slice(size)], lastsMs }
  }
  return { atMs, kind, node, lastsMs, pick }
}

export function isCut({ kind }: NemesisAction): boolean {
  return kind === 'cut' || kind === 'partition'
}

function drawKind(random: SeededRandom, kinds: typeof KINDS): string {
  const total = kinds.reduce((sum, [, weight]) => sum + weight, 0)
  let left = random.between(0, total)
  for (const [kind, weight] of kinds) {
    left -= weight
    if (left < 0) return kind
  }
  return 'crash'
}

/** Perhaps a long partition. The other cuts are left out in such a seed: the end of one would be the end of all. */
export function drawCutOff(
  random: SeededRandom,
  names: readonly NodeName[],
  untilMs: number,
): NemesisAction | undefined {
  if (!random.chance(CUT_OFF_SHARE)) return undefined
  const shuffled = random.shuffle([...names])
  const size = random.int(1, Math.max(1, Math.floor(names.length / 2)))
  const lastsMs = random.between(CUT_OFF_MS[0], CUT_OFF_MS[1])
  return {
    atMs: random.between(50, Math.max(100, untilMs - lastsMs)),
    kind: 'partition',
    groups: [shuffled.slice(0, size), shuffled.slice(size)],
    lastsMs,
  }
}

/** Whether a seed has a link that is broken until the end. */
export function hasBrokenLink(random: SeededRandom): boolean {
  return random.fork('broken link').chance(BROKEN_LINK_SHARE)
}

/** Perhaps one link that carries nothing in one direction, or in both, from some moment until the end of the run. */
export function drawBrokenLink(
  seed: SeededRandom,
  names: readonly NodeName[],
  untilMs: number,
): NemesisAction[] {
  if (!hasBrokenLink(seed)) return []
  const random = seed.fork('which link')
  const [from, to] = random.shuffle([...names]) as [NodeName, NodeName]
  const cut = { atMs: random.between(0, untilMs / 2), kind: 'cut', stays: true }
  const isWhole = random.chance(0.3)
  return [{ ...cut, from, to }, ...(isWhole ? [{ ...cut, from: to, to: from }] : [])]
}

/** What links do besides, in few seeds. */
function drawAgain(random: SeededRandom): { readonly again?: number; readonly againMaxMs?: number } {
  if (!random.chance(AGAIN_SHARE)) return {}
  return { again: random.between(0, AGAIN_MESSAGES), againMaxMs: AGAIN_MAX_MS }
}

/** How a node's wall clock is off. */
export function drawClock(
  world: SeededRandom,
  node: SeededRandom,
): { readonly aheadMs: number; readonly drift: number } {
  const most = world.chance(BAD_CLOCKS_SHARE) ? FAR_AHEAD_MS : AHEAD_MS
  return { aheadMs: node.between(-most, most), drift: node.between(-DRIFT, DRIFT) }
}

function drawJumpMs(random: SeededRandom): number {
  const [least, most] = JUMP_MS
  const byMs = least * (most / least) ** random.fraction()
  return random.chance(0.5) ? byMs : -byMs
}

function drawSyncMs(random: SeededRandom): number {
  return random.between(SLOW_SYNC_MS[0], SLOW_SYNC_MS[1])
}
