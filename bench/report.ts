/**
 * The form of the results: a table for RESULTS.md, and the same lines on the terminal.
 */
import type { Row } from './cases/benchmark.ts'

/** The whole of RESULTS.md. */
export function resultsPage(machine: readonly string[], date: Date, rows: readonly Row[]): string {
  return [
    '# Results of the benchmarks',
    '',
    'Written by `npm run bench`; README.md in this folder says how to read it. Ratios are what counts: ours and the',
    'baseline took turns on the same machine in the same run, so a slow minute hits both. Figures are medians, with',
    'the lowest and the highest in parentheses.',
    '',
    `Date: ${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    '',
    ...machine.map(line => `- ${line}`),
    '',
    ...table(rows),
    '',
  ].join('\n')
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
