/**
 * Owns `altered-chord overlay`: a picture of who answers for how much of the ring.
 */
import type { Command } from 'commander'
import type { Overlay, OverlayRange } from '../client/client.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session } from './session.ts'

interface OverlayOptions extends ConnectionOptions {
  readonly ranges?: boolean
  readonly json?: boolean
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
      'Draws a bar for each node: the part of the ring whose requests it takes first, in how many ranges, and how many\n' +
        'ranges it keeps copies of.',
    )
    .option('--ranges', 'and every range in the order of the ring')
    .option('--json', 'print the ranges as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord overlay
  altered-chord overlay --ranges`,
    )
    .action((options: OverlayOptions) =>
      withClient(session, options, async client => {
        const overlay = await client.overlay({ signal: session.signal })
        for (const line of linesOf(overlay, options)) await print(session, line)
      }),
    )
}

function linesOf(overlay: Overlay, options: OverlayOptions): string[] {
  if (options.json) return [JSON.stringify(overlay)]
  const lines = drawNodes(overlay.ranges)
  return options.ranges ? [...lines, '', ...overlay.ranges.map(rangeLine)] : lines
}

/** One line for each node, the largest part first. */
export function drawNodes(ranges: readonly OverlayRange[]): string[] {
  const nodes = new Map<string, { share: number; heads: number; kept: number }>()
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
  const width = Math.max(...[...nodes.keys()].map(name => name.length))
  const lines = [...nodes]
    .sort(([nameA, a], [nameB, b]) => b.share - a.share || (nameA < nameB ? -1 : 1))
    .map(([name, { share, heads, kept }]) => {
      const percent = `${(share * 100).toFixed(1)} %`.padStart(7)
      const bar = '#'.repeat(Math.round(share * BAR_LENGTH)).padEnd(BAR_LENGTH)
      return `${name.padEnd(width)}  ${bar} ${percent}  head of ${heads}, keeps ${kept} of ${ranges.length} ranges`
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
