/**
 * The sessions shown in the documentation: each `console` block holds commands behind `$ ` and what they print.
 * They are run, so that a page shows what really comes out; `npm run docs` writes it into the page, and docs.test.ts fails
 * when it has become something else. All commands of a page run in one shell, one after the other.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'

export interface SessionInit {
  /** The ports that a page calls 5000, 5001 and so on: of nodes that run, or free ones for the nodes that the page starts. */
  readonly ports: readonly number[]
  /** An empty folder where the commands run. */
  readonly folder: string
  /** The root of the repository, ending with `/`. */
  readonly repositoryRoot: string
  /** How long the commands may take together, ms. */
  readonly timeoutMs?: number
  /** What the blocks of the session are called; `console` by default. */
  readonly block?: string
  /** ETags as they are now; a page shows those of an earlier run, known by their hashes. */
  readonly etags?: readonly string[]
}

/** What pages call the first port of a session. */
const SHOWN_PORT = 5000

/** An ETag, and the digits of the hash at its end. */
const ETAG = /\d+\.\d+-[0-9a-f]{8}/g
const HASH_DIGITS = 9

/** Comes before the output of each command. */
const MARK = '@@ command '

/** A page with what its commands print now. */
export async function replayed(text: string, init: SessionInit): Promise<string> {
  const { block = 'console' } = init
  const outputs = await outputsOf(commandsOf(text, block), init)
  const lines: string[] = []
  const opening = `\`\`\`${block}`
  let [inside, count] = [false, 0]
  for (const line of text.split('\n')) {
    if (line === opening) inside = true
    else if (line === '```') inside = false
    if (inside && !line.startsWith('$ ') && line !== opening) continue
    lines.push(line)
    if (inside && line.startsWith('$ ')) lines.push(...(outputs[count++] ?? []))
  }
  return lines.join('\n')
}

function commandsOf(text: string, block: string): string[] {
  const blocks = text.matchAll(new RegExp(`^\`\`\`${block}\\n(.*?)^\`\`\`$`, 'gms'))
  return [...blocks].flatMap(([, lines = '']) =>
    lines.split('\n').flatMap(line => (line.startsWith('$ ') ? [line.slice(2)] : [])),
  )
}

/** Replaces what is another each time: dates, durations, and what follows from the places of nodes on the ring. */
export function comparable(text: string): string {
  return (
    text
      .replace(
        /("(?:replicas|chain)":|^ring-chain: |^(?:owner|replicas|visited) +)\S.*?(?=\]|$)/gm,
        '$1(nodes)',
      )
      .replace(/"range":\{[^}]*\}/g, '"range":(range)')
      .replace(/^(ring-range|ring-network): .*$/gm, '$1: (ring)')
      .replace(/^ring-hops: \d+/gm, 'ring-hops: (hops)')
      .replace(/(\\?"|"epoch":)\d+(?=\.\d+-[0-9a-f]{8}|,"seq")/g, '$1(epoch)')
      .replace(/("\(epoch\)\.|"seq":)\d+/g, '$1(number)')
      // A copy that a node has given away stays with it for some time.
      .replace(/^(\d+ ranges?, \d+ files?), \d+ B read/gm, '$1, (bytes) read')
      .replace(/"version":"\d+\.\d+"/g, '"version":"(epoch).(number)"')
      .replace(/^(127\.0\.0\.1:\d+) .*head of.*$/gm, '(node) (part of the ring)')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '(date)')
      .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, '(date)')
  )
}

/** Longest page, ms: its commands are small, and the machine may be busy. */
const PAGE_TIMEOUT_MS = 900_000

/**
 * The lines that each command prints. A refusal is part of the page: its exit code is not looked at, its words are.
 * @throws Error when the commands take too long: a part of their output would be taken for all of it.
 */
async function outputsOf(
  commands: readonly string[],
  { ports, folder, repositoryRoot, timeoutMs = PAGE_TIMEOUT_MS, etags = [] }: SessionInit,
): Promise<string[][]> {
  const bin = join(folder, '.bin')
  mkdirSync(bin, { recursive: true })
  symlinkSync(join(repositoryRoot, 'bin/altered-chord.js'), join(bin, 'altered-chord'))
  const shown = (text: string) =>
    ports.reduce((hidden, port, index) => ofPort(hidden, port, SHOWN_PORT + index), text)
  const real = (text: string) =>
    ports.reduce((hidden, port, index) => ofPort(hidden, SHOWN_PORT + index, port), text)
  const asNow = (command: string) =>
    command.replace(ETAG, shown => etags.find(etag => etag.endsWith(shown.slice(-HASH_DIGITS))) ?? shown)
  const lines = commands.map(
    (command, index) =>
      `printf '\\n${MARK}${index}\\n'\n${asNow(real(command)).replace(/^curl (?!-f?s)/, 'curl -sS ')}\n`,
  )
  const shell = spawn('bash', ['-c', `exec 2>&1 < /dev/null\n${lines.join('')}`], {
    cwd: folder,
    // A group of its own, with the nodes that the page starts.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      ALTERED_CHORD_NODE: `http://127.0.0.1:${ports[0]}`,
      // Nodes that start at the same moment find each other late on a busy machine.
      ALTERED_CHORD_JOIN_TIMEOUT: `${timeoutMs} ms`,
      LC_ALL: 'C',
      HOME: folder,
    },
  })
  const end = () => process.kill(-(shell.pid as number), 'SIGKILL')
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    end()
  }, timeoutMs)
  try {
    const printed = shown((await textOf(shell.stdout)).replaceAll('\r', ''))
    if (isLate) throw new Error(`The commands of the page took more than ${timeoutMs} ms.`)
    return printed
      .split(new RegExp(`\\n${MARK}\\d+\\n`))
      .slice(1)
      .map(part => (part.trim() === '' ? [] : part.trimEnd().split('\n').filter(isOutput)))
  } finally {
    clearTimeout(timer)
    try {
      end()
    } catch {
      // Nothing of it is left.
    }
  }
}

/** What bash says of a node that was killed, it does not say on a terminal. */
function isOutput(line: string): boolean {
  return !/^bash: line \d+: +\d+ (?:Killed|Terminated) /.test(line)
}

/** A port as a number of its own in a text. */
function ofPort(text: string, port: number, other: number): string {
  return text.replace(new RegExp(`\\b${port}\\b`, 'g'), String(other))
}
