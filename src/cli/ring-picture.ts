/**
 * The picture of the ring as text: a circle that begins at the top and goes round clockwise, in which each node has
 * a letter wherever its ranges are.
 */
import type { OverlayRange } from '../client/client.ts'
import { counted } from '../quantity.ts'

/** Lines of the circle, and its characters in a line: about as wide as high, since characters are twice as high as wide. */
const HEIGHT = 15
const WIDTH = 33

/** Points that are looked at around the circle: several for each of its characters, so that it has no gaps. */
const STEPS = 720

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** A range that nobody is known to answer for. */
const UNKNOWN = '?'

/** A node beyond the letters that there are. */
const OTHER = '+'

/** The letters of nodes, in the order that `names` has. */
export function lettersOf(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name, i) => [name, LETTERS[i] ?? OTHER]))
}

/** The circle, a line for each of its rows. `ranges` in the order of their positions, covering the ring. */
export function drawRing(ranges: readonly OverlayRange[], letters: ReadonlyMap<string, string>): string[] {
  const rows = Array.from({ length: HEIGHT }, () => new Array<string>(WIDTH).fill(' '))
  const headAt = headsByPlace(ranges)
  for (let step = 0; step < STEPS; step++) {
    const turn = step / STEPS
    const angle = turn * 2 * Math.PI
    const row = Math.round(((1 - Math.cos(angle)) / 2) * (HEIGHT - 1))
    const column = Math.round(((1 + Math.sin(angle)) / 2) * (WIDTH - 1))
    const cells = rows[row] as string[]
    if (cells[column] !== ' ') continue
    const head = headAt(turn)
    cells[column] = head === null ? UNKNOWN : (letters.get(head) ?? OTHER)
  }
  const nodes = new Set(ranges.map(({ head }) => head).filter(head => head !== null)).size
  writeCentred(rows, [counted(nodes, 'node'), counted(ranges.length, 'range')])
  return rows.map(cells => cells.join('').trimEnd())
}

/** Who answers first at a part (0 to 1) of the way around the ring, position 0 being where it begins. */
function headsByPlace(ranges: readonly OverlayRange[]): (turn: number) => string | null {
  const ends = ranges.map(({ hi, head }) => ({ end: placeOf(hi), head })).sort((a, b) => a.end - b.end)
  // The range that runs across 0 ends first, and begins behind all others.
  return turn => (ends.find(({ end }) => turn <= end) ?? ends[0])?.head ?? null
}

/** A position as a part of the ring. 48 of its 160 bits are far more than a circle of characters shows. */
function placeOf(position: string): number {
  return Number.parseInt(position.slice(0, 12), 16) / 16 ** 12
}

function writeCentred(rows: string[][], lines: readonly string[]): void {
  const first = Math.floor((HEIGHT - lines.length) / 2)
  for (const [i, line] of lines.entries()) {
    const start = Math.floor((WIDTH - line.length) / 2)
    for (const [j, character] of [...line].entries()) (rows[first + i] as string[])[start + j] = character
  }
}
