/**
 * Owns the sessions shown in the documentation: each `console` block holds commands behind `$ ` and what they print.
 * They are run against a fresh node, so that a page shows what really comes out; `npm run docs` writes it into the page,
 * and docs.test.ts fails when it has become something else.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface SessionInit {
  /** URL of a fresh node; the pages call it http://127.0.0.1:5000. */
  readonly url: string
  /** An empty folder where the commands run. */
  readonly folder: string
  /** The root of the repository, ending with `/`. */
  readonly repositoryRoot: string
}

/** What pages call the node of a session. */
const SHOWN_HOST = '127.0.0.1:5000'

/** A page with what its commands print now, all blocks in order against the same node. */
export async function replayed(text: string, init: SessionInit): Promise<string> {
  const lines: string[] = []
  let inside = false
  for (const line of text.split('\n')) {
    if (line === '```console') inside = true
    else if (line === '```') inside = false
    if (inside && !line.startsWith('$ ') && line !== '```console') continue
    lines.push(line)
    if (inside && line.startsWith('$ ')) lines.push(...(await outputOf(line.slice(2), init)))
  }
  return lines.join('\n')
}

/** Replaces what is another each time: dates. */
export function withoutDates(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '(date)')
    .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, '(date)')
}

/** Longest command of a page, ms: they are small, and the machine may be busy. */
const COMMAND_TIMEOUT_MS = 60_000

async function outputOf(command: string, { url, folder, repositoryRoot }: SessionInit): Promise<string[]> {
  const bin = join(folder, '.bin')
  mkdirSync(bin, { recursive: true })
  try {
    symlinkSync(join(repositoryRoot, 'bin/altered-chord.js'), join(bin, 'altered-chord'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const host = new URL(url).host
  const run = promisify(execFile)
  const options = {
    cwd: folder,
    timeout: COMMAND_TIMEOUT_MS,
    env: { PATH: `${bin}:${process.env.PATH}`, ALTERED_CHORD_NODE: url, LC_ALL: 'C' },
  }
  // A refusal is part of the page: its exit code is not looked at, its words are.
  const script = `{ ${command.replaceAll(SHOWN_HOST, host).replace(/^curl /, 'curl -sS ')} ; } 2>&1`
  const { stdout } = await run('sh', ['-c', script], options).catch((error: { stdout?: string }) => {
    if (error.stdout === undefined) throw error
    return { stdout: error.stdout }
  })
  const shown = stdout.replaceAll(host, SHOWN_HOST).replaceAll('\r', '').trimEnd()
  return shown === '' ? [] : shown.split('\n')
}
