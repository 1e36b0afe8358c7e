/**
 * What a page of documentation may name: every option, variable, route, error code, command, npm script and file
 * in it must exist in the code. Pure functions of a page and of what exists.
 */
import type { Fault } from './source-rules.ts'

/** What the code has. */
export interface Inventory {
  /** `--port`, `-p`, ... of all commands together. */
  readonly options: ReadonlySet<string>
  readonly variables: ReadonlySet<string>
  readonly commands: ReadonlySet<string>
  readonly codes: ReadonlySet<string>
  /** `GET /get/*`: `*` stands for any rest. */
  readonly routes: readonly string[]
  readonly npmScripts: ReadonlySet<string>
  /** Tells whether the repository has a file or folder, named from its root. */
  readonly hasFile: (path: string) => boolean
}

export interface Page {
  /** Relative to the root of the repository. */
  readonly path: string
  readonly text: string
}

/** A piece of a page that names code: a line of a fenced block, or what stands between backquotes. */
interface Snippet {
  readonly text: string
  readonly line: number
  readonly fenced: boolean
}

/** Options of the programs that a page shows beside ours: curl, npm, openssl and the like begin those lines. */
const FOREIGN_PROGRAM =
  /^(?:\$ )?(?:curl|npm|npx|git|tar|openssl|docker|kubectl|install|systemctl|systemd-analyze|nginx|head|diff|tap)\b/

/** Everything in a page that names something the code does not have. */
export function faultsOfPage(page: Page, inventory: Inventory): Fault[] {
  const faults: Fault[] = []
  for (const snippet of snippetsOf(page.text)) {
    for (const missing of missingIn(snippet, inventory))
      faults.push(`${page.path}:${snippet.line} names ${missing}`)
  }
  for (const { target, line } of linksOf(page.text)) {
    const path = resolveLink(page.path, target)
    if (path !== undefined && !inventory.hasFile(path)) faults.push(`${page.path}:${line} links to ${target}`)
  }
  return faults
}

/** Of `wanted`, what no code of the page names, as faults. */
export function faultsOfOmission(page: Page, kind: string, wanted: Iterable<string>): Fault[] {
  const named = new Set(snippetsOf(page.text).flatMap(({ text }) => [text, ...text.split(/[\s,|]+/)]))
  return [...wanted].filter(name => !named.has(name)).map(name => `${page.path} misses the ${kind} ${name}`)
}

function missingIn({ text, fenced }: Snippet, inventory: Inventory): string[] {
  return [
    ...(FOREIGN_PROGRAM.test(text.trim()) ? [] : missingOptions(text, fenced, inventory)),
    ...matches(text, /\bALTERED_CHORD_[A-Z_]+\b/g).filter(name => !inventory.variables.has(name)),
    ...missingCommands(text, inventory),
    ...missingCodes(text, fenced, inventory),
    ...missingRoutes(text, inventory),
    ...matches(text, /\bnpm run ([\w:-]+)/g)
      .filter(name => !inventory.npmScripts.has(name))
      .map(name => `npm run ${name}`),
    ...(fenced
      ? []
      : matches(text, /^((?:src|docs|test|bench|bin|\.ci)\/[\w./-]*|[\w-]+\.(?:js|ts|md|json))$/g)
    ).filter(path => !inventory.hasFile(path)),
  ]
}

function missingOptions(text: string, fenced: boolean, inventory: Inventory): string[] {
  // In prose, only what is an option and nothing else; in a block, what follows our own program up to the next command.
  const own = fenced ? text.split(/[;|&]/).filter(part => /(altered-chord|node start)/.test(part)) : [text]
  if (!fenced && !/^-/.test(text)) return []
  return own
    .flatMap(part => matches(part, /(?<=^|\s|\/)(--?[A-Za-z][\w-]*)/g))
    .filter(option => !inventory.options.has(option))
}

function missingCommands(text: string, inventory: Inventory): string[] {
  return matches(text, /(?:^|\s)(?:npx )?altered-chord ([a-z]+)\b/g)
    .filter(name => !inventory.commands.has(name))
    .map(name => `altered-chord ${name}`)
}

function missingCodes(text: string, fenced: boolean, inventory: Inventory): string[] {
  const quoted = matches(text, /"code": ?"([A-Z_]+)"/g)
  const bare = fenced ? [] : matches(text, /^([A-Z]{4,}(?:_[A-Z]+)*)$/g)
  return [...quoted, ...bare].filter(
    code => !inventory.codes.has(code) && !/^(?:ALTERED_CHORD|NODE)_/.test(code) && !OTHER_CAPITALS.has(code),
  )
}

/** Words in capitals that are no codes: placeholders, methods, signals, variables of platforms. */
const OTHER_CAPITALS = new Set([
  'PEERS',
  'SELF_URL',
  'PATH',
  'PORT',
  'HOST',
  'DELETE',
  'SIGINT',
  'SIGTERM',
  'FOLDER',
  'TARGET',
  'SOURCE',
  'PREFIX',
  'TOKEN',
  'SECRET',
  'HEAD',
  'POST',
  'ETAG',
  'LICENSE',
  'README',
  'NDJSON',
  // Methods of WebDAV.
  'PROPFIND',
  'PROPPATCH',
  'MKCOL',
  'COPY',
  'MOVE',
  'LOCK',
  'UNLOCK',
])

function missingRoutes(text: string, inventory: Inventory): string[] {
  const inline = /^((?:GET|HEAD|PUT|POST|DELETE) \/\S*)/.exec(text)?.[1]
  const url = /https?:\/\/(?:127\.0\.0\.1|localhost):\d+(\/[^\s"'?]*)/.exec(text)?.[1]
  const named = [...(inline === undefined ? [] : [inline]), ...(url === undefined ? [] : [`* ${url}`])]
  return named.filter(name => !inventory.routes.some(route => routeMatches(route, name.replace(/\?.*$/, ''))))
}

/** `GET /get/*` matches `GET /get/PATH` and `* /get/a/b`; a page may also write the `*` or a name in braces. */
export function routeMatches(route: string, name: string): boolean {
  const [method = '', pattern = ''] = route.split(' ')
  const [namedMethod = '', path = ''] = name.split(' ')
  if (namedMethod !== '*' && namedMethod !== method) return false
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.+').replace(/:\w+/g, '[^/]+')}$`).test(path)
}

function snippetsOf(text: string): Snippet[] {
  const snippets: Snippet[] = []
  let fenced = false
  text.split('\n').forEach((content, index) => {
    const line = index + 1
    if (/^\s*```/.test(content)) fenced = !fenced
    else if (fenced) snippets.push({ text: content.trim(), line, fenced })
    else for (const quoted of matches(content, /`([^`]+)`/g)) snippets.push({ text: quoted, line, fenced })
  })
  return snippets
}

function linksOf(text: string): { target: string; line: number }[] {
  return text
    .split('\n')
    .flatMap((content, index) =>
      matches(content, /\]\(([^)\s]+)\)/g).map(target => ({ target, line: index + 1 })),
    )
}

function resolveLink(from: string, target: string): string | undefined {
  if (/^(?:https?:|mailto:|#)/.test(target)) return undefined
  const base = new URL(from, 'file:///')
  return decodeURIComponent(new URL(target, base).pathname.slice(1))
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(match => match[1] ?? match[0])
}
