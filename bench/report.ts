/**
 * The form of the results: a table for RESULTS.md, and the same lines on the terminal.
 */
import type { Row } from './cases/benchmark.ts'

/** What one whole run has to say. */
export interface Run {
  readonly part: Part
  /** The release of Node that was measured, such as `v24.1.0`. */
  readonly node: string
  readonly machine: readonly string[]
  readonly date: Date
  readonly rows: readonly Row[]
}

/** The two parts of the page, each written by runs of its own. */
const TITLES = { alone: 'Ours and a baseline', peers: 'Beside other programs' } as const

export type Part = keyof typeof TITLES

const INTRODUCTION = [
  '# Results of the benchmarks',
  '',
  'Written by `npm run bench`, and by `npm run bench -- --peers`; README.md in this folder says how to read it. Ratios are what',
  'counts: ours and the others took turns on the same machine in the same run, so a slow minute hits all. Figures are medians,',
  'with the lowest and the highest in parentheses.',
  '',
]

/** RESULTS.md with this run in it, in place of an earlier one of its part on this release of Node; `before` is the page as it was. */
export function resultsPage(before: string, run: Run): string {
  const sections = new Map(before.split(/^(?=## )/m).map(section => [headingOf(section), section.trimEnd()]))
  sections.delete(undefined)
  const written = sectionOf(run).join('\n')
  sections.set(headingOf(written), written)
  const inOrder = Object.values(TITLES).flatMap(title =>
    [...sections]
      .filter(([heading]) => heading?.startsWith(`## ${title}`))
      .sort(([a = ''], [b = '']) => a.localeCompare(b)),
  )
  return [...INTRODUCTION, ...inOrder.flatMap(([, section]) => [section, ''])].join('\n')
}

function headingOf(section: string): string | undefined {
  return /^## .*/.exec(section)?.[0]
}

function sectionOf({ part, node, machine, date, rows }: Run): string[] {
  return [
    ...[`## ${TITLES[part]}, Node ${/\d+/.exec(node)?.[0]}`, ''],
    ...[`Date: ${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`, ''],
    ...[...machine.map(line => `- ${line}`), ''],
    ...table(rows),
  ]
}

/** A Markdown table. */
export function table(rows: readonly Row[]): string[] {
  return [
    '| what | ours | baseline | ratio | goal | met |',
    '|---|---|---|---|---|---|',
    ...rows.map(row => {
      const met = row.met === undefined ? '' : row.met ? 'yes' : '**no**'
      return `| ${[row.what, row.ours, row.baseline ?? '', row.ratio ?? '', row.goal ?? '', met].join(' | ')} |`
    }),
  ]
}
