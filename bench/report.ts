/**
 * The form of the results: a table for RESULTS.md, and the same lines on the terminal.
 */
import type { Row } from './cases/benchmark.ts'

/** What one whole run has to say. */
export interface Run {
  readonly part: Part
  readonly machine: readonly string[]
  readonly date: Date
  readonly rows: readonly Row[]
}

/** The two parts of the page: each is written by a run of its own, and stays when the other one is written. */
const HEADINGS = { alone: '## Ours and a baseline', peers: '## Beside other programs' } as const

export type Part = keyof typeof HEADINGS

const INTRODUCTION = [
  '# Results of the benchmarks',
  '',
  'Written by `npm run bench`, and by `npm run bench -- --peers`; README.md in this folder says how to read it. Ratios are what',
  'counts: ours and the others took turns on the same machine in the same run, so a slow minute hits all. Figures are medians,',
  'with the lowest and the highest in parentheses.',
  '',
]

/** RESULTS.md with the part of this run in it; `before` is the page as it was. */
export function resultsPage(before: string, run: Run): string {
  const sections = (Object.keys(HEADINGS) as Part[]).map(part =>
    part === run.part ? sectionOf(run) : keptOf(before, part),
  )
  return [...INTRODUCTION, ...sections.flat()].join('\n')
}

function sectionOf({ part, machine, date, rows }: Run): string[] {
  return [
    ...[HEADINGS[part], ''],
    ...[`Date: ${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`, ''],
    ...[...machine.map(line => `- ${line}`), ''],
    ...[...table(rows), ''],
  ]
}

function keptOf(page: string, part: Part): string[] {
  const lines = page.split('\n')
  const from = lines.indexOf(HEADINGS[part])
  if (from === -1) return []
  const length = lines.slice(from + 1).findIndex(line => line.startsWith('## '))
  const kept = length === -1 ? lines.slice(from) : lines.slice(from, from + 1 + length)
  return [...kept.join('\n').trimEnd().split('\n'), '']
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
