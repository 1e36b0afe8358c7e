/**
 * Owns the form of the results: RESULTS.md has a section for each benchmark, with its own date and load, because each
 * is measured against a baseline of its own run. Running one again replaces its section and no other.
 */
import type { Row } from './cases/benchmark.ts'

export interface Measured {
  /** What `--only` calls the benchmark. */
  readonly name: string
  readonly begun: Date
  /** Load average of the machine (1, 5, 15 minutes) when it began and when it ended. */
  readonly loads: readonly [readonly number[], readonly number[]]
  readonly rows: readonly Row[]
}

/** The whole of RESULTS.md: `previous` with the sections of what was measured replaced, in the order of `names`. */
export function resultsPage(
  previous: string,
  machine: readonly string[],
  names: readonly string[],
  measured: readonly Measured[],
): string {
  const sections = names.flatMap(name => {
    const found = measured.find(one => one.name === name)
    const section = found ? sectionOf(found) : previousSection(previous, name)
    return section === undefined ? [] : [section.trim(), '']
  })
  return [
    '# Results of the benchmarks',
    '',
    'Written by `npm run bench`; [README.md](README.md) says how to read it. Ratios are what counts: ours and the baseline',
    'took turns on the same machine in the same run, so a slow minute hits both. Figures are medians, with the lowest and',
    'the highest in parentheses.',
    '',
    ...machine.map(line => `- ${line}`),
    '',
    ...sections,
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

function sectionOf({ name, begun, loads, rows }: Measured): string {
  const [before, after] = loads.map(load => load.map(figure => figure.toFixed(1)).join(', '))
  const date = begun.toISOString().slice(0, 16).replace('T', ' ')
  return [
    `## ${name}`,
    '',
    `${date} UTC, load average ${before} before and ${after} after`,
    '',
    ...table(rows),
  ].join('\n')
}

function previousSection(page: string, name: string): string | undefined {
  return page.split(/^(?=## )/m).find(section => section.startsWith(`## ${name}\n`))
}
