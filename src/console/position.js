/**
 * Where things stand in the picture of the ring, and which colour each node has.
 */

/** The middle of the picture. */
export const CENTRE = 200

/** A position on the ring as a part of the way around, 0 to 1: 48 of its 160 bits are far more than a screen shows. @param {string} hex */
export function turnOf(hex) {
  return Number.parseInt(hex.slice(0, 12), 16) / 2 ** 48
}

/** A point of a circle; the ring begins at the top. @param {number} turn @param {number} radius */
export function pointAt(turn, radius) {
  const angle = (turn - 0.25) * 2 * Math.PI
  return { x: CENTRE + radius * Math.cos(angle), y: CENTRE + radius * Math.sin(angle) }
}

/** @param {number} value */
export const short = value => value.toFixed(2)

/**
 * The path of a piece of a band from one turn clockwise to another; the whole circle when they are the same.
 * @param {number} from @param {number} to @param {number} inner @param {number} outer
 */
export function bandPath(from, to, inner, outer) {
  // An arc whose ends meet is none, so that a whole circle misses a hair.
  const end = to > from ? to : to + 1
  const length = Math.min(end - from, 0.99999)
  const large = length > 0.5 ? 1 : 0
  const [a, b] = [pointAt(from, outer), pointAt(from + length, outer)]
  const [c, d] = [pointAt(from + length, inner), pointAt(from, inner)]
  const arc = (
    /** @type {number} */ radius,
    /** @type {number} */ sweep,
    /** @type {{ x: number, y: number }} */ to,
  ) => `A${short(radius)} ${short(radius)} 0 ${large} ${sweep} ${short(to.x)} ${short(to.y)}`
  return `M${short(a.x)} ${short(a.y)}${arc(outer, 1, b)}L${short(c.x)} ${short(c.y)}${arc(inner, 0, d)}Z`
}

/** A colour for each node, far from that of its neighbours. @param {readonly string[]} nodes sorted @returns {Map<string, string>} */
export function coloursOf(nodes) {
  const first = [217, 28, 168, 345, 262, 85, 190, 305, 48, 140]
  return new Map(
    nodes.map((node, at) => [
      node,
      `hsl(${first[at] ?? ((at * 137.508) % 360).toFixed(1)} 52% ${at % 2 ? 58 : 53}%)`,
    ]),
  )
}
