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
  /** URLs of fresh nodes; the pages call the first http://127.0.0.1:5000, the second http://127.0.0.1:5001, and so on. */
  readonly urls: readonly string[]
  /** An empty folder where the commands run. */
  readonly folder: string
  /** The root of the repository, ending with `/`. */
  readonly repositoryRoot: string
}

/** What pages call the first node of a session. */
const SHOWN_HOST = '127.0.0.1'
const SHOWN_PORT = 5000

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

/** Replaces what is another each time: dates, durations, and what follows from the places of nodes on the ring. */
export function comparable(text: string): string {
  return text
    .replace(
      /("(?:replicas|chain)":|^ring-chain: |^(?:owner|replicas|visited) +)\S.*?(?=\]|$)/gm,
      '$1(nodes)',
    )
    .replace(/"range":\{[^}]*\}/g, '"range":(range)')
    .replace(/^(ring-range|ring-network): .*$/gm, '$1: (ring)')
    .replace(/^ring-hops: \d+/gm, 'ring-hops: (hops)')
    .replace(/(\\?"|"epoch":)\d+(?=\.\d+-[0-9a-f]{8}|,"seq")/g, '$1(epoch)')
    .replace(/("\(epoch\)\.|"seq":)\d+/g, '$1(number)')
    .replace(/^(127\.0\.0\.1:\d+) .*head of.*$/gm, '(node) (part of the ring)')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '(date)')
    .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, '(date)')
}

/** Longest command of a page, ms: they are small, and the machine may be busy. */
const COMMAND_TIMEOUT_MS = 60_000

async function outputOf(command: string, { urls, folder, repositoryRoot }: SessionInit): Promise<string[]> {
  const bin = join(folder, '.bin')
  mkdirSync(bin, { recursive: true })
  try {
    symlinkSync(join(repositoryRoot, 'bin/altered-chord.js'), join(bin, 'altered-chord'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const hosts = urls.map((url, index) => [new URL(url).host, `${SHOWN_HOST}:${SHOWN_PORT + index}`] as const)
  const hidden = hosts.reduce((text, [host, shown]) => text.replaceAll(shown, host), command)
  const run = promisify(execFile)
  const options = {
    cwd: folder,
    timeout: COMMAND_TIMEOUT_MS,
    env: { PATH: `${bin}:${process.env.PATH}`, ALTERED_CHORD_NODE: urls[0], LC_ALL: 'C' },
  }
  // A refusal is part of the page: its exit code is not looked at, its words are.
  const script = `{ ${hidden.replace(/^curl /, 'curl -sS ')} ; } 2>&1`
  const { stdout } = await run('sh', ['-c', script], options).catch((error: { stdout?: string }) => {
    if (error.stdout === undefined) throw error
    return { stdout: error.stdout }
  })
  const shown = hosts
    .reduce((text, [host, name]) => text.replaceAll(host, name), stdout)
    .replaceAll('\r', '')
    .trimEnd()
  return shown === '' ? [] : shown.split('\n')
}
