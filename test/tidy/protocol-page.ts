/**
 * Holds docs/protocol.md to the code: every file, mutant and test that a rule names exists and belongs together, and no
 * file of the protocol whose guards are tried by mutants is left without a rule.
 */
import type { Mutant } from '../mutants/mutant.ts'
import type { Page } from './doc-rules.ts'
import type { Fault } from './source-rules.ts'

/** Folders whose guards are rules of the protocol. */
const PROTOCOL = /^src\/(views|replication)\//

/** One row of a table of rules. */
interface Rule {
  readonly name: string
  readonly file: string
  readonly mutant: string
  readonly test: string
}

export function faultsOfProtocol(
  page: Page,
  mutants: readonly Pick<Mutant, 'id' | 'file'>[],
  hasFile: (path: string) => boolean,
): Fault[] {
  const rules = rulesOf(page.text)
  const faults: Fault[] = rules.length === 0 ? [`${page.path} has no rules`] : []
  const files = new Map(mutants.map(({ id, file }) => [id, file]))
  for (const { name, file, mutant, test } of rules) {
    for (const path of [file, test]) if (!hasFile(path)) faults.push(`${name}: ${path} is not there`)
    if (mutant === '') continue
    if (files.get(mutant) !== file) faults.push(`${name}: the mutant ${mutant} does not change ${file}`)
  }
  const named = new Set(rules.map(({ file }) => file))
  for (const file of new Set(files.values())) {
    // What only tells who hears of a fact is no rule of its own.
    if (PROTOCOL.test(file) && !named.has(file) && !file.endsWith('/handlers.ts'))
      faults.push(`${page.path} has no rule of ${file}`)
  }
  return faults
}

function rulesOf(text: string): Rule[] {
  const rules: Rule[] = []
  for (const line of text.split('\n')) {
    const cells = line.split('|').map(cell => cell.trim())
    const [, name, , , file, mutant, test] = cells
    if (name === undefined || file === undefined || !file.startsWith('`src/')) continue
    rules.push({
      name,
      file: bare(file),
      mutant: mutant?.startsWith('`') ? bare(mutant) : '',
      test: bare(test),
    })
  }
  return rules
}

function bare(cell: string | undefined): string {
  return (cell ?? '').replaceAll('`', '')
}

/** Every file in the pictures of a page, `http/gate.ts` for `src/http/gate.ts`; a bare name lies in the core. */
export function picturedFiles(text: string): string[] {
  const fences = [...text.matchAll(/^```\n([\s\S]*?)^```/gm)].map(match => match[1] as string)
  const names = fences.flatMap(fence => fence.match(/[\w/-]+\.ts\b/g) ?? [])
  return names.map(name => (name.includes('/') ? `src/${name}` : `src/replication/chain/${name}`))
}

/** Decision pages that the index does not link, or that are linked twice. */
export function faultsOfIndex(index: Page, pages: readonly string[]): Fault[] {
  const listed = [...index.text.matchAll(/^- \[\d{4}\]\(([^)]+)\)/gm)].map(match => match[1] as string)
  return pages
    .filter(page => listed.filter(name => name === page).length !== 1)
    .map(page => `${index.path} has to list ${page} once`)
}
