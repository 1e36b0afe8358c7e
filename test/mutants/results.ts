/**
 * What came of mutants, kept beside the packages so that a run can go on where another one ended, and the page that is
 * written from it.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Verdict } from './judge-mutant.ts'
import { type Mutant, ROOT } from './mutant.ts'

export const RESULTS_FILE = join(ROOT, 'node_modules', '.cache', 'altered-chord', 'mutants.jsonl')

export const PAGE_FILE = 'docs/mutants.md'

interface Result {
  readonly id: string
  readonly fingerprint: string
  readonly verdict: Verdict
}

export class Results {
  readonly #file: string
  readonly #results = new Map<string, Result>()

  /** What the page says counts where nothing newer is at hand: packages are installed anew, and other machines have none. */
  constructor(file = RESULTS_FILE, page = join(ROOT, PAGE_FILE)) {
    this.#file = file
    if (existsSync(page))
      for (const [id, verdict] of verdictsOn(readFileSync(page, 'utf8')))
        this.#results.set(id, { id, fingerprint: '', verdict })
    if (!existsSync(file)) return
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      if (line === '') continue
      const result = JSON.parse(line) as Result
      this.#results.set(result.id, result)
    }
  }

  /** The verdict as long as neither the mutant, nor its source, nor its tests have changed since. */
  of(id: string, fingerprint: string): Verdict | undefined {
    const result = this.#results.get(id)
    return result?.fingerprint === fingerprint ? result.verdict : undefined
  }

  /** The verdict, be it of an older state of the code. */
  latest(id: string): Verdict | undefined {
    return this.#results.get(id)?.verdict
  }

  note(result: Result): void {
    this.#results.set(result.id, result)
    mkdirSync(dirname(this.#file), { recursive: true })
    appendFileSync(this.#file, `${JSON.stringify(result)}\n`)
  }
}

/** The page: how many were caught and by what, then every mutant. */
export function pageOf(mutants: readonly Mutant[], verdictOf: (id: string) => Verdict | undefined): string {
  const rows = mutants.map(mutant => ({ mutant, verdict: verdictOf(mutant.id) }))
  const run = rows.filter(({ mutant }) => mutant.equivalent === undefined)
  const by = (kind: Verdict['by']) => run.filter(({ verdict }) => verdict?.by === kind).length
  const alive = run.filter(({ verdict }) => verdict?.by === 'nobody')
  const open = run.filter(({ verdict }) => verdict === undefined)
  const table = (list: typeof rows, third: string, cell: (row: (typeof rows)[number]) => string) => [
    `| mutant | in | what its loss means | ${third} |`,
    '| --- | --- | --- | --- |',
    ...list.map(row => {
      const { id, file, loss } = row.mutant
      return `| ${id} | \`${file}\` | ${escaped(loss)} | ${cell(row)} |`
    }),
  ]
  const section = (title: string, list: typeof rows, lines: () => string[]) =>
    list.length === 0 ? [] : ['', `## ${title}`, '', ...lines()]
  const equivalent = rows.filter(({ mutant }) => mutant.equivalent !== undefined)
  const caught = run.filter(({ verdict }) => verdict !== undefined && verdict.by !== 'nobody')
  return `${[
    '# Mutants',
    '',
    'Each line is one guard of the protocol, taken out of the sources while they are loaded; `npm run mutants` tries to catch each, by',
    'the cheapest means first: a test, a kept schedule, seeds of the simulator from 1 on. The run writes this page. The table of what is changed is in',
    '`test/mutants/tables`.',
    '',
    `${mutants.length} mutants: ${by('test')} are caught by a test, ${by('schedule')} by a schedule, ${by('seeds')} by seeds; ${equivalent.length} are equivalent, ` +
      `${alive.length} got through, ${open.length} have not been run since they were written.`,
    ...section('Got through', alive, () =>
      table(alive, 'seeds', ({ verdict }) => `${verdict?.by === 'nobody' ? verdict.seeds : ''}`),
    ),
    ...section('Not run yet', open, () => table(open, 'state', () => 'not run')),
    ...section('Caught', caught, () =>
      table(caught, 'caught by', ({ verdict }) => caughtBy(verdict as Verdict)),
    ),
    ...section('Equivalent', equivalent, () =>
      table(equivalent, 'why nobody can notice', ({ mutant }) => escaped(mutant.equivalent ?? '')),
    ),
  ].join('\n')}\n`
}

/** The verdicts that a page shows. */
export function verdictsOn(page: string): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>()
  let section = ''
  for (const line of page.split('\n')) {
    if (line.startsWith('## ')) section = line.slice(3)
    const [, id, , , cell] = line.split(/(?<!\\)\|/).map(text => text.trim().replaceAll('\\|', '|'))
    if (id === undefined || cell === undefined || id === 'mutant' || id.startsWith('---')) continue
    const verdict = section === 'Caught' ? verdictIn(cell) : undefined
    if (section === 'Got through') verdicts.set(id, { by: 'nobody', seeds: Number(cell) })
    else if (verdict !== undefined) verdicts.set(id, verdict)
  }
  return verdicts
}

function verdictIn(cell: string): Verdict | undefined {
  const test = /^`([^`]+)`: (.*)$/.exec(cell)
  if (test !== null) return { by: 'test', file: test[1] as string, title: test[2] as string }
  const schedule = /^the schedule (\S+): (.*)$/.exec(cell)
  if (schedule !== null)
    return { by: 'schedule', name: schedule[1] as string, failure: schedule[2] as string }
  const seed = /^seed (\d+): (.*)$/.exec(cell)
  return seed === null ? undefined : { by: 'seeds', seeds: Number(seed[1]), failure: seed[2] as string }
}

function caughtBy(verdict: Verdict): string {
  switch (verdict.by) {
    case 'test':
      return `\`${verdict.file}\`: ${escaped(verdict.title)}`
    case 'schedule':
      return `the schedule ${verdict.name}: ${escaped(verdict.failure)}`
    case 'seeds':
      return `seed ${verdict.seeds}: ${escaped(verdict.failure)}`
    case 'nobody':
      return ''
  }
}

/** In a table, without what would be taken for code. */
function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('`', "'").slice(0, 160)
}
