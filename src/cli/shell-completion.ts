/**
 * What the Tab key of the shell completes: commands, paths and keys of the store, files of this machine, nodes.
 */
import { readdir } from 'node:fs/promises'
import type { StoreClient } from '../client/client.ts'

/** What can be completed, and who knows it. */
export interface CompletionSources {
  readonly commands: readonly string[]
  readonly client: StoreClient
  readonly signal: AbortSignal
}

/** What a command takes, by the place of the word. `file` is of this machine. */
export type Kind = 'path' | 'key' | 'node' | 'file' | 'command'

/** The last one holds for all further words. */
const WORDS: Readonly<Record<string, readonly Kind[]>> = {
  setnode: ['node'],
  join: ['node'],
  query: ['key'],
  insert: ['key'],
  delete: ['key'],
  put: ['file', 'path'],
  get: ['path', 'file'],
  list: ['path'],
  exists: ['path'],
  copy: ['path'],
  move: ['path'],
  remove: ['path'],
  lookup: ['path'],
  du: ['path'],
  stat: ['path'],
  find: ['path'],
  share: ['path'],
  cat: ['path'],
  ls: ['path'],
  cp: ['path'],
  mv: ['path'],
  rm: ['path'],
  help: ['command'],
}

/** What the word behind these is: the first one is the command. */
export function kindOfWord(words: readonly string[]): Kind | undefined {
  if (words[0] === undefined) return 'command'
  const kinds = WORDS[words[0]] ?? []
  return kinds[words.length - 1] ?? kinds.at(-1)
}

/** More are no help. */
const CANDIDATES_MAX = 100

const PAIR_PREFIX = 'kv/'

/** Words that the last one of `line` can become, written so that the shell reads them back, and that last word. */
export async function complete(line: string, sources: CompletionSources): Promise<[string[], string]> {
  const [before, last] = lastWord(line)
  const words = before.split(/\s+/).filter(word => word !== '' && !word.startsWith('-'))
  const kind = kindOfWord(words)
  if (kind === undefined) return [[], last]
  const prefix = unescaped(last)
  const found = await candidatesFor(kind, prefix, sources)
  const hits = found
    .filter(candidate => candidate.startsWith(prefix))
    .map(candidate => escaped(candidate))
    .filter(candidate => candidate.startsWith(last))
  const only = hits.length === 1 ? hits[0] : undefined
  // What is complete is followed by the next word; a folder goes on.
  return [only === undefined || only.endsWith('/') ? hits : [`${only} `], last]
}

/** What a word of this kind that begins with `prefix` can be; more than that may be among it. */
export async function candidatesFor(
  kind: Kind,
  prefix: string,
  sources: CompletionSources,
): Promise<readonly string[]> {
  const { client, commands, signal } = sources
  if (kind === 'command') return commands
  if (kind === 'file') return filesOf(prefix)
  if (kind === 'node') {
    const { nodes } = await client.network({ signal })
    return nodes.filter(({ status }) => status === 'alive').map(({ address }) => address)
  }
  const start = kind === 'key' ? PAIR_PREFIX : ''
  const found: string[] = []
  for await (const listed of client.listLevel(start + prefix, { signal, limit: CANDIDATES_MAX })) {
    const path = 'path' in listed ? listed.path : listed.prefix
    found.push(kind === 'key' ? keyOf(path.slice(start.length)) : path)
  }
  return found
}

/** Percent-encoding in the path of a pair stands for itself in its key; what is none was put there by another endpoint. */
function keyOf(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

async function filesOf(prefix: string): Promise<string[]> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const entries = await readdir(folder === '' ? '.' : folder, { withFileTypes: true }).catch(() => [])
  return entries
    .map(entry => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .filter(name => name.startsWith(prefix))
    .slice(0, CANDIDATES_MAX)
}

/** The line up to its last word, and that word: backslashes keep spaces in it. */
function lastWord(line: string): [string, string] {
  const word = /(?:\\.|[^\s\\])*\\?$/.exec(line)?.[0] ?? ''
  return [line.slice(0, line.length - word.length), word]
}

function escaped(text: string): string {
  return text.replace(/[\s'"\\]/g, '\\$&')
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}
