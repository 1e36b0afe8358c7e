/**
 * The picture of the ring: who answers for each range, who keeps the further copies, what state it is in, and the
 * way of a lookup.
 */
import { percent } from './format.js'
import { hopTime } from './lookup.js'
import { bandPath, CENTRE, pointAt, short, turnOf } from './position.js'
import { h } from './preact.js'

/**
 * @typedef {'serving' | 'back-filling' | 'changing' | 'unknown'} RangeState
 * @typedef {{ lo: string, hi: string, share: number, head: string | null, replicas: string[], witnesses: string[], epoch: number, state: RangeState }} Range
 * @typedef {{ networkId: string, ranges: Range[], recoveries: unknown[], nodes?: import('./node-rows.js').Vitals[] }} Overlay
 */

const OUTER = 150
/** Width of the band of the heads, and of each band of further copies. */
const HEAD_WIDTH = 30
const COPY_WIDTH = 13
const GAP = 3
/** Further copies that are drawn; the side says them all. */
const COPIES_MAX = 4

/** @typedef {{ x: number, y: number }} Point */

/** The innermost radius that a band of copies reaches. @param {number} copies */
function innerRadius(copies) {
  return OUTER - HEAD_WIDTH - Math.min(copies, COPIES_MAX) * (COPY_WIDTH + GAP)
}

/**
 * @param {object} picture
 * @param {readonly Range[]} picture.ranges
 * @param {Map<string, string>} picture.colours
 * @param {readonly { address: string, identifier: string, status: string }[]} picture.nodes
 * @param {Map<string, string>} picture.zones
 * @param {Range | undefined} picture.shown
 * @param {string} picture.only a node whose ranges stand out
 * @param {import('./lookup.js').Lookup | null} picture.lookup
 * @param {(range: Range | undefined, chosen: boolean) => void} picture.onShow
 */
export function ringPicture({ ranges, colours, nodes, zones, shown, only, lookup, onShow }) {
  const copies = Math.max(0, ...ranges.map(({ replicas }) => replicas.length - 1))
  return h(
    'svg',
    { class: 'ring', viewBox: '0 0 400 400', role: 'img', 'aria-label': summaryOf(ranges) },
    h(
      'defs',
      null,
      h(
        'pattern',
        {
          id: 'hatched',
          width: 6,
          height: 6,
          patternUnits: 'userSpaceOnUse',
          patternTransform: 'rotate(45)',
        },
        h('rect', { width: 2.5, height: 6, class: 'hatch' }),
      ),
    ),
    ranges.map(range => arcsOf(range, { colours, zones, isShown: range.lo === shown?.lo, only, onShow })),
    dotsOf(nodes, colours),
    lookup && wayOf(lookup, nodes, innerRadius(copies)),
    middle(ranges, shown, innerRadius(copies)),
  )
}

/** @param {Range} range @param {{ colours: Map<string, string>, zones: Map<string, string>, isShown: boolean, only: string, onShow: (range: Range | undefined, chosen: boolean) => void }} how */
function arcsOf(range, { colours, zones, isShown, only, onShow }) {
  const { lo, hi, head, replicas, witnesses, state } = range
  const [from, to] = [turnOf(lo), turnOf(hi)]
  const fill = (/** @type {string | null | undefined} */ node) =>
    (node && colours.get(node)) || 'var(--unknown)'
  const arc = (
    /** @type {number} */ inner,
    /** @type {number} */ outer,
    /** @type {string} */ colour,
    name = '',
  ) => h('path', { d: bandPath(from, to, inner, outer), fill: colour, class: name })
  const isFaint = only !== '' && ![...replicas, ...witnesses].includes(only)
  const zone = head === null ? undefined : zones.get(head)
  return h(
    'g',
    {
      key: lo,
      class: `range ${state}${isShown ? ' shown' : ''}${isFaint ? ' faint-range' : ''}`,
      onMouseEnter: () => onShow(range, false),
      onMouseLeave: () => onShow(undefined, false),
      onClick: () => onShow(range, true),
    },
    // What is between the bands belongs to the range, too: the hand finds no holes.
    arc(innerRadius(replicas.length - 1), OUTER, 'transparent', 'hit'),
    zone !== undefined &&
      arc(
        OUTER + 2,
        OUTER + 5,
        `hsl(0 0% ${35 + (([...new Set(zones.values())].indexOf(zone) * 25) % 50)}%)`,
      ),
    arc(OUTER - HEAD_WIDTH, OUTER, fill(head), 'head'),
    replicas.slice(1, 1 + COPIES_MAX).map((node, at) => {
      const outer = OUTER - HEAD_WIDTH - GAP - at * (COPY_WIDTH + GAP)
      return h('path', {
        key: node,
        d: bandPath(from, to, outer - COPY_WIDTH, outer),
        fill: fill(node),
        class: 'copy',
      })
    }),
    state !== 'serving' && arc(OUTER - HEAD_WIDTH, OUTER, 'url(#hatched)', 'state'),
  )
}

/** Nodes with a name beside their dot; more would write over each other. */
const NAMED_MAX = 16

/** How far the text in the middle of the ring reaches up and down. */
const MIDDLE_HEIGHT = 52

/** Two names closer than this, as a part of the way around, stand one above the other. */
const CLOSE = 0.03

/** @param {readonly { address: string, identifier: string, status: string }[]} nodes @param {Map<string, string>} colours */
function dotsOf(nodes, colours) {
  let [before, level] = [-1, 0]
  return nodes
    .filter(({ status }) => status === 'alive')
    .sort((a, b) => (a.identifier < b.identifier ? -1 : 1))
    .map(node => {
      const turn = turnOf(node.identifier)
      level = turn - before < CLOSE ? level + 1 : 0
      before = turn
      return dotOf(node.address, turn, colours, nodes.length <= NAMED_MAX ? level : -1)
    })
}

/** @param {string} address @param {number} turn @param {Map<string, string>} colours @param {number} level of its name, -1 for none */
function dotOf(address, turn, colours, level) {
  const [at, label] = [pointAt(turn, OUTER + 12), pointAt(turn, OUTER + 22)]
  const anchor = Math.abs(label.x - CENTRE) < 30 ? 'middle' : label.x > CENTRE ? 'start' : 'end'
  // On along the ring, so that no name leaves the picture: up on the left, down on the right, outwards at top and bottom.
  const isDown = anchor === 'middle' ? label.y > CENTRE : anchor === 'start'
  const outwards = isDown ? 8 : -1
  const y = label.y + (anchor === 'middle' ? outwards : 3.5) + Math.max(0, level) * (isDown ? 12 : -12)
  const short = address.startsWith('127.0.0.1:')
    ? address.slice(10)
    : address.replace(/^([^.:]+)\.[^:]*/, '$1')
  return h(
    'g',
    { key: address, class: 'node' },
    h('title', null, address),
    h('circle', { cx: at.x, cy: at.y, r: 4.5, fill: colours.get(address) }),
    level >= 0 && h('text', { x: label.x, y, 'text-anchor': anchor }, short),
  )
}

/** @param {readonly Range[]} ranges */
function summaryOf(ranges) {
  const busy = ranges.filter(({ state }) => state !== 'serving')
  return busy.length === 0
    ? `${ranges.length} ranges, all serving`
    : `${ranges.length} ranges, ${busy.length} not as they should be`
}

/** @param {readonly Range[]} ranges @param {Range | undefined} shown @param {number} radius */
function middle(ranges, shown, radius) {
  const line = (/** @type {string} */ text, /** @type {number} */ y, name = '') =>
    h('text', { class: name, x: CENTRE, y, 'text-anchor': 'middle' }, text)
  if (radius < 40) return null
  if (shown)
    return h(
      'g',
      { class: 'middle' },
      line(percent(shown.share), CENTRE - 4, 'large'),
      line(`epoch ${shown.epoch}`, CENTRE + 15),
      line(shown.state, CENTRE + 31, `word ${shown.state}`),
    )
  const busy = ranges.filter(({ state }) => state !== 'serving').length
  return h(
    'g',
    { class: 'middle' },
    line(String(ranges.length), CENTRE - 4, 'large'),
    line(ranges.length === 1 ? 'range' : 'ranges', CENTRE + 15),
    line(
      busy === 0 ? 'all serving' : `${busy} in repair`,
      CENTRE + 31,
      `word ${busy === 0 ? 'serving' : 'changing'}`,
    ),
  )
}

/**
 * The way of a lookup: from node to node, and to the place of the key.
 * @param {import('./lookup.js').Lookup} lookup
 * @param {readonly { address: string, identifier: string }[]} nodes
 * @param {number} radius
 */
function wayOf(lookup, nodes, radius) {
  const { key, chain, owner } = lookup
  const placeOf = (/** @type {string} */ address) => {
    const node = nodes.find(one => one.address === address)
    return node && pointAt(turnOf(node.identifier), OUTER + 12)
  }
  const stops = [...chain, ...(chain.at(-1) === owner ? [] : [owner])]
    .map(placeOf)
    .filter(stop => stop !== undefined)
  const target = pointAt(turnOf(key), OUTER - HEAD_WIDTH / 2)
  // Bent towards the middle, so that steps between the same two nodes are seen apart.
  const bent = (/** @type {Point} */ a, /** @type {Point} */ b) => {
    const bend = radius > 40 ? 0.25 : 0
    const towards = (/** @type {number} */ value) => CENTRE + (value - CENTRE) * bend
    return { x: towards((a.x + b.x) / 2), y: towards((a.y + b.y) / 2) }
  }
  const hop = (/** @type {Point} */ a, /** @type {Point} */ b) => {
    const { x, y } = bent(a, b)
    return `M${short(a.x)} ${short(a.y)}Q${short(x)} ${short(y)} ${short(b.x)} ${short(b.y)}`
  }
  /** What the step took, at the middle of its curve. */
  const time = (/** @type {Point} */ b, /** @type {number} */ at) => {
    const a = /** @type {Point} */ (stops[at])
    const over = bent(a, b)
    const middleX = (a.x + 2 * over.x + b.x) / 4
    const middleY = (a.y + 2 * over.y + b.y) / 4
    // What stands in the middle of the ring stays readable.
    const isFree = Math.abs(middleX - CENTRE) > 60 || Math.abs(middleY - CENTRE) > MIDDLE_HEIGHT
    const y = short(isFree ? middleY : CENTRE + (middleY < CENTRE ? -MIDDLE_HEIGHT : MIDDLE_HEIGHT))
    return h('text', { key: `ms${at}`, x: short(middleX), y, style: delay(at) }, hopTime(lookup, at + 1))
  }
  const delay = (/** @type {number} */ at) => ({ 'animation-delay': `${at * 350}ms` })
  const last = stops.at(-1)
  return h(
    'g',
    { class: 'way', key },
    stops
      .slice(1)
      .map((stop, at) =>
        h('path', { key: at, d: hop(/** @type {any} */ (stops[at]), stop), pathLength: 1, style: delay(at) }),
      ),
    last &&
      h('path', { class: 'to-key', d: hop(last, target), pathLength: 1, style: delay(stops.length - 1) }),
    stops.map((stop, at) => h('circle', { key: at, cx: stop.x, cy: stop.y, r: 8 })),
    stops.length === chain.length && stops.slice(1).map(time),
    h('circle', { class: 'key', cx: target.x, cy: target.y, r: 5, style: delay(stops.length) }),
  )
}
