/**
 * `altered-chord overlay`: a picture of who answers for how much of the ring.
 */
import type { Command } from 'commander'
import type { Overlay, OverlayRange } from '../client/client.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { watchOverlay } from './overlay-watch.ts'
import { drawRing, lettersOf } from './ring-picture.ts'
import { print, type Session, usageError } from './session.ts'

interface OverlayOptions extends ConnectionOptions {
  readonly ring?: boolean
  readonly ranges?: boolean
  readonly json?: boolean
  readonly active?: boolean
  readonly watch?: string | boolean
}

/** Characters of a bar that stands for the whole ring; half of them are room enough for two nodes. */
const BAR_LENGTH = 40

/** Hexadecimal digits of a position that are shown: enough to tell thousands of ranges apart. */
const DIGITS_SHOWN = 8

/** What stands for a node that nobody knows. */
const NOBODY = '(nobody known)'

export function addOverlayCommand(program: Command, session: Session): void {
  const command = program
    .command('overlay')
    .summary('draw who answers for how much of the ring')
    .description(
      'Draws the ring, clockwise from the top, with a letter for each node; and a bar for each node: the part of the ring\n' +
        'whose requests it takes first, in how many ranges, and how many ranges it keeps copies of.',
    )
    .option('--ring', 'the ring also where the output is no terminal')
    .option('--no-ring', 'the bars alone')
    .option('--ranges', 'and every range in the order of the ring')
    .option('--active', 'only the addresses of the nodes that are there')
    .option(
      '--watch [times]',
      'again and again, with who believes what about whom and since when, where nodes gossip',
    )
    .option('--json', 'print the ranges as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord overlay
  altered-chord overlay --ranges
  altered-chord overlay --active
  altered-chord overlay --watch`,
    )
    .action((options: OverlayOptions) =>
      withClient(session, options, async client => {
        if (options.active) {
          const answer = await client.activeNodes({ signal: session.signal })
          const lines = options.json ? [JSON.stringify(answer)] : answer.active
          for (const line of lines) await print(session, line)
          return
        }
        const ring = options.ring ?? session.stdout.isTTY === true
        const picture = async () =>
          linesOf(await client.overlay({ signal: session.signal }), { ...options, ring })
        const times = timesOf(options.watch)
        if (times === undefined) for (const line of await picture()) await print(session, line)
        else await watchOverlay(session, options, client, { picture, times })
      }),
    )
}

/** How often the picture is drawn; undefined without --watch. */
function timesOf(watch: string | boolean | undefined): number | undefined {
  if (watch === undefined || watch === false) return undefined
  if (watch === true) return Number.POSITIVE_INFINITY
  if (/^[1-9]\d{0,8}$/.test(watch)) return Number(watch)
  throw usageError(`--watch is "${watch}", and is a number of pictures, or stands alone.`)
}

function linesOf(overlay: Overlay, options: OverlayOptions): string[] {
  if (options.json) return [JSON.stringify(overlay)]
  const { ranges } = overlay
  const nodes = nodesOf(ranges)
  const letters = lettersOf(nodes.map(([name]) => name))
  const lines = drawNodes(ranges, options.ring ? letters : undefined)
  const picture = options.ring ? [...drawRing(ranges, letters), '', ...lines] : lines
  return options.ranges ? [...picture, '', ...ranges.map(rangeLine)] : picture
}

interface Part {
  share: number
  heads: number
  kept: number
}

/** The nodes with their parts, the largest first. */
function nodesOf(ranges: readonly OverlayRange[]): [string, Part][] {
  const nodes = new Map<string, Part>()
  const of = (name: string) => {
    const node = nodes.get(name) ?? { share: 0, heads: 0, kept: 0 }
    nodes.set(name, node)
    return node
  }
  for (const { head, share, replicas } of ranges) {
    const first = of(head ?? NOBODY)
    first.share += share
    first.heads += 1
    for (const replica of replicas) of(replica).kept += 1
  }
  return [...nodes].sort(([nameA, a], [nameB, b]) => b.share - a.share || (nameA < nameB ? -1 : 1))
}

/** One line for each node, the largest part first; with its letter, where there are any. */
export function drawNodes(
  ranges: readonly OverlayRange[],
  letters?: ReadonlyMap<string, string> | undefined,
): string[] {
  const nodes = nodesOf(ranges)
  const width = Math.max(...nodes.map(([name]) => name.length))
  const lines = nodes.map(([name, { share, heads, kept }]) => {
    const letter = letters === undefined ? '' : `${name === NOBODY ? '?' : letters.get(name)}  `
    const percent = `${(share * 100).toFixed(1)} %`.padStart(7)
    const bar = '#'.repeat(Math.round(share * BAR_LENGTH)).padEnd(BAR_LENGTH)
    return `${letter}${name.padEnd(width)}  ${bar} ${percent}  head of ${heads}, keeps ${kept} of ${ranges.length} ranges`
  })
  const unsettled = ranges.filter(({ state }) => state !== 'serving').length
  return unsettled === 0 ? lines : [...lines, `${unsettled} of ${ranges.length} ranges are changing`]
}

function rangeLine({ lo, hi, share, replicas, epoch, state }: OverlayRange): string {
  const arc = `(${lo.slice(0, DIGITS_SHOWN)}.. ${hi.slice(0, DIGITS_SHOWN)}..]`
  const percent = `${(share * 100).toFixed(1)} %`.padStart(7)
  const who = replicas.length === 0 ? NOBODY : replicas.join(', ')
  return `${arc} ${percent}  epoch ${epoch}  ${state.padEnd(12)}  ${who}`
}
