/**
 * The parts of the documentation that are tables of the code: settings, limits, error codes, and the help of each
 * command. `npm run docs` (or `npm run docs PAGE` for the sessions of one page) writes them between their markers; tidy.test.ts fails when they are out of date.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { ERROR_CODES, type ErrorCode } from '../../src/errors.ts'
import { ERROR_STATUS } from '../../src/http/error-reply.ts'
import { longFlag, SETTINGS, type Setting } from '../../src/settings.ts'
import { freePort } from '../e2e/harness.ts'
import { runningNetwork } from '../running-node.ts'
import { CONFLICT_BLOCK, conflictNetwork } from './conflict-session.ts'
import { comparable, replayed } from './console-sessions.ts'
import { everyCommand, program, readPage, repositoryRoot } from './inventory.ts'

/** Pages with generated parts, and what stands in each part. */
export const GENERATED: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  'docs/configuration.md': { settings: settingsTables },
  'docs/errors.md': { codes: codesTable },
  'docs/command-line.md': { help: helpOfCommands },
}

/** The text of a page with its generated parts renewed. @throws Error when a marker is missing. */
export function renewed(path: string, text: string): string {
  let result = text
  for (const [name, generate] of Object.entries(GENERATED[path] ?? {})) {
    const [start, end] = [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`]
    const [from, to] = [result.indexOf(start), result.indexOf(end)]
    if (from === -1 || to < from) throw new Error(`${path} has no markers ${start} ... ${end}`)
    result = `${result.slice(0, from + start.length)}\n\n${generate().trim()}\n\n${result.slice(to)}`
  }
  return result
}

function settingsTables(): string {
  const settings = Object.values(SETTINGS) as Setting[]
  const groups = [...new Set(settings.map(setting => setting.group))]
  return groups
    .map(group => {
      const rows = settings
        .filter(setting => setting.group === group)
        .map(setting => {
          const flags = [/^-\w(?=,)/.exec(setting.flag)?.[0], longFlag(setting)].filter(
            flag => flag !== undefined,
          )
          const flag = flags.map(name => `\`${name}\``).join(', ')
          return `| ${flag} | \`${setting.variable}\` | ${setting.default} | ${setting.bounds} | ${setting.meaning} |`
        })
      const head = '| flag | variable | default | bounds | meaning |\n| --- | --- | --- | --- | --- |'
      return `### ${group}\n\n${head}\n${rows.join('\n')}`
    })
    .join('\n\n')
}

function codesTable(): string {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[]
  const rows = codes
    .toSorted((a, b) => ERROR_STATUS[a] - ERROR_STATUS[b])
    .map(code => {
      const { meaning, retryable } = ERROR_CODES[code]
      return `| \`${code}\` | ${ERROR_STATUS[code]} | ${retryable ? 'yes' : 'no'} | ${meaning} |`
    })
  return `| code | status | retryable | meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}`
}

function helpOfCommands(): string {
  const text = [program, ...everyCommand()]
    .map(command => {
      const name = fullNameOf(command)
      return `## ${name}\n\n\`\`\`text\n${fullHelpOf(command)}\n\`\`\``
    })
    .join('\n\n')
  return text
}

function fullNameOf(command: Command): string {
  return command.parent === null ? command.name() : `${fullNameOf(command.parent)} ${command.name()}`
}

/** With the examples that --help adds behind the options. */
function fullHelpOf(command: typeof program): string {
  let text = ''
  const write = (piece: string) => {
    text += piece
  }
  command.configureOutput({ writeOut: write, getOutHelpWidth: () => 100 })
  command.outputHelp()
  return text.trimEnd()
}

/** Pages with sessions that are run, and the number of nodes that each is run against; `own`: it starts its nodes itself. */
export const SESSION_PAGES = {
  'README.md': 3,
  'docs/http.md': 1,
  'docs/guide/README.md': 'own',
  'docs/guide/backup.md': 'own',
  'docs/guide/installing.md': 'own',
  'docs/guide/machines.md': 'own',
  'docs/guide/monitoring.md': 'own',
  'docs/guide/security.md': 'own',
} as const

/** Ports that a page which starts its own nodes may use. */
const OWN_PORTS = 5

/** What the commands of a page print now, run in an empty folder. */
export async function sessionsNow(
  text: string,
  nodes: number | 'own',
  folder: string,
  t: { teardown(end: () => unknown): unknown },
): Promise<string> {
  mkdirSync(join(folder, 'work'))
  const ports =
    nodes === 'own'
      ? await Promise.all(Array.from({ length: OWN_PORTS }, freePort))
      : (await runningNetwork(t, nodes, join(folder, 'data'))).map(({ url }) => Number(new URL(url).port))
  const now = await replayed(text, { ports, folder: join(folder, 'work'), repositoryRoot })
  if (!now.includes(`\`\`\`${CONFLICT_BLOCK}\n`)) return now
  mkdirSync(join(folder, 'conflict'))
  const conflict = await conflictNetwork(t, join(folder, 'conflict'))
  const work = { folder: join(folder, 'conflict'), repositoryRoot, block: CONFLICT_BLOCK }
  return replayed(now, { ...conflict, ...work })
}

async function writeSessions(path: string, nodes: number | 'own'): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'altered-chord-docs-'))
  const ends: (() => unknown)[] = []
  try {
    const before = readPage(path).text
    const now = await sessionsNow(before, nodes, folder, { teardown: end => ends.push(end) })
    if (comparable(now) !== comparable(before)) writeFileSync(join(repositoryRoot, path), now)
  } finally {
    for (const end of ends.reverse()) await end()
    rmSync(folder, { recursive: true })
  }
}

if (pathToFileURL(argv[1] ?? '').href === import.meta.url) {
  for (const path of Object.keys(GENERATED)) {
    writeFileSync(join(repositoryRoot, path), renewed(path, readPage(path).text))
  }
  const only = argv.slice(2)
  for (const [path, nodes] of Object.entries(SESSION_PAGES))
    if (only.length === 0 || only.includes(path)) await writeSessions(path, nodes)
}
