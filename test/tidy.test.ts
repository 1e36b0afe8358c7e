/**
 * Holds the form of the code and the truth of its documentation. The rules themselves are in test/tidy; the second half
 * of this file shows that each of them can fail.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MUTANTS } from './mutants/tables/all.ts'
import { faultsOfOmission, faultsOfPage, type Inventory, routeMatches } from './tidy/doc-rules.ts'
import { GENERATED, renewed } from './tidy/generated-docs.ts'
import {
  filesUnder,
  packageFields,
  program,
  readPage,
  repositoryRoot,
  takeInventory,
} from './tidy/inventory.ts'
import { casesOf, keysOf } from './tidy/message-tables.ts'
import { faultsOfIndex, faultsOfProtocol, picturedFiles } from './tidy/protocol-page.ts'
import { unreachedBehaviour } from './tidy/reached.ts'
import {
  circlesOf,
  FILE_LINES_MAX,
  FUNCTION_LINES_MAX,
  faultsOf,
  faultsOfOwnership,
  LAYERS,
  ownersOf,
} from './tidy/source-rules.ts'

const sources = filesUnder('src', '.ts').filter(path => !path.endsWith('.d.ts'))

t.test('every source file keeps the rules of form', async t => {
  t.ok(sources.length > 20, 'the sources were found')
  t.same(
    sources.flatMap(path => faultsOf(readPage(path))),
    [],
  )
})

t.test('no files import each other in a circle', async t => {
  t.same(circlesOf(sources.map(readPage)), [])
  const files = [
    { path: 'src/a.ts', text: `import { b } from './b.ts'` },
    { path: 'src/b.ts', text: `import type { C } from './c.ts'` },
    { path: 'src/c.ts', text: `export * from './a.ts'` },
  ]
  t.same(circlesOf(files), ['src/a.ts → src/b.ts → src/c.ts → src/a.ts'])
  t.same(circlesOf(files.slice(0, 2)), [])
})

t.test('the console is plain modules that open with what they are and need nothing else', async t => {
  const modules = filesUnder('src/console', '.js')
  t.ok(modules.length > 10, 'the modules were found')
  for (const path of modules) {
    const { text } = readPage(path)
    t.match(text, /^\/\*\*\n \* \S/, path)
    const imported = [...text.matchAll(/(?:from|import\() ?'([^']+)'/g)].map(match => match[1] as string)
    t.same(
      imported.filter(name => !/^\.\/[a-z-]+\.js$/.test(name)),
      [],
      path,
    )
  }
})

t.test('each module of the core changes its own state alone', async t => {
  const core = sources.map(readPage)
  const owners = ownersOf(core)
  t.equal(owners.get('suspects'), 'src/replication/chain/liveness.ts')
  t.ok(owners.size > 15, 'the state was found')
  t.same(
    core.flatMap(file => faultsOfOwnership(file, owners)),
    [],
  )
  for (const change of ['m.suspects.add(n)', 'm.suspects = s', 'm.suspects++']) {
    const file = { path: 'src/replication/chain/a.ts', text: change }
    t.match(faultsOfOwnership(file, owners).join(), /changes suspects, which is .*liveness/, change)
  }
  t.same(faultsOfOwnership({ path: 'src/replication/chain/a.ts', text: 'm.suspects.has(n)' }, owners), [])
})

t.test('tests reach every function and class that a file exports', async t => {
  const programs = sources.filter(path => /^src\/(cli\/main|lab\/simulator\/simulate)\.ts$/.test(path))
  const tests = [...filesUnder('test', '.ts'), ...filesUnder('bench', '.ts')].map(readPage)
  const started = programs.map(path => ({ path: 'test/a.ts', text: `import * as a from '../${path}'` }))
  t.same(unreachedBehaviour(sources.map(readPage), [...tests, ...started]), [])
  const files = [
    {
      path: 'src/a.ts',
      text: `import { b } from './b.ts'\nexport function a() {}\nexport function dead() {}`,
    },
    { path: 'src/b.ts', text: 'export const b = 1\nexport class Dead {}\nfunction own() {}' },
  ]
  t.same(unreachedBehaviour(files, [{ path: 'test/a.test.ts', text: `import { a } from '../src/a.ts'` }]), [
    'src/a.ts: no test reaches dead',
    'src/b.ts: no test reaches Dead',
  ])
})

t.test('what nodes say stands in one table, and who acts on it in another of the same order', async t => {
  const messages = keysOf(readPage('src/replication/chain/messages.ts'), 'MESSAGES')
  t.ok(messages.length > 40, 'the messages were found')
  t.same(keysOf(readPage('src/replication/chain/handlers.ts'), 'MESSAGES'), messages)
  const calls = keysOf(readPage('src/calls/calls.ts'), 'CALLS')
  t.ok(calls.length > 15, 'the calls were found')
  t.same(casesOf(readPage('src/ring-node/answers.ts'), 'call.kind'), calls)
  const file = {
    path: 'a.ts',
    text: `const A = { x: 1, 'y-z': 2 }\nconst B = { ...A, b: 3 }\nfunction f() { switch (c.kind) { case 'x': break } }`,
  }
  t.same(keysOf(file, 'B'), ['x', 'y-z', 'b'])
  t.same(casesOf(file, 'c.kind'), ['x'])
})

t.test('each test file is run by one command, once', async t => {
  const grouped = filesUnder('test/groups', '.test.ts').flatMap(path =>
    [...readPage(path).text.matchAll(/'([\w.-]+)'/g)].flatMap(([, folder]) =>
      folder === undefined ? [] : [folder],
    ),
  )
  // As .taprc has it: these run in processes of their own.
  const alone = ['console', 'e2e', 'groups']
  for (const folder of alone) t.match(readPage('.taprc').text, new RegExp(`\\b${folder}\\b`), folder)
  const commandsOf = (path: string): readonly string[] => {
    if (path.endsWith('.long.test.ts')) return ['npm run test:long']
    const [, folder = '.'] = /^test\/([^/]+)\//.exec(path) ?? []
    return [...grouped, ...alone].filter(name => name === folder)
  }
  const times = filesUnder('test', '.test.ts').map(path => `${path}: ${commandsOf(path).length}`)
  t.same(
    times.filter(line => !line.endsWith(': 1')),
    [],
  )
})

const pages = [
  ...['README.md', 'statement.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...filesUnder('docs', '.md'),
  ...filesUnder('deploy', '.md'),
]

t.test('no page names what the code does not have', async t => {
  const inventory = await takeInventory()
  t.ok(inventory.routes.includes('GET /get/*'), 'the routes were found')
  t.same(
    pages.flatMap(path => faultsOfPage(readPage(path), inventory)),
    [],
  )
})

t.test('the pages miss nothing that the code has', async t => {
  const inventory = await takeInventory()
  const endpoints = readPage('docs/http.md')
  const missing = [
    ...faultsOfOmission(readPage('docs/configuration.md'), 'variable', inventory.variables).filter(
      fault => !fault.endsWith('ALTERED_CHORD_NODE'),
    ),
    ...faultsOfOmission(readPage('docs/command-line.md'), 'variable', [
      'ALTERED_CHORD_NODE',
      'ALTERED_CHORD_TOKEN',
    ]),
    ...faultsOfOmission(readPage('docs/errors.md'), 'code', inventory.codes),
    ...inventory.routes
      // Every GET answers to HEAD where it makes sense, which the page says once.
      .filter(route => !route.startsWith('HEAD '))
      .filter(route => !namedRoutes(endpoints.text).some(name => routeMatches(route, name)))
      .map(route => `docs/http.md misses ${route}`),
  ]
  t.same(missing, [])
})

t.test('the architecture and the protocol are those of the code', async t => {
  const hasFile = (path: string) => existsSync(join(repositoryRoot, path))
  const architecture = readPage('docs/architecture.md')
  const pictured = picturedFiles(architecture.text)
  t.ok(pictured.length > 20, 'the pictures were found')
  t.same(
    pictured.filter(path => !hasFile(path)),
    [],
  )
  const floors = Object.keys(LAYERS).map(name =>
    hasFile(`src/${name}.ts`) ? `src/${name}.ts` : `src/${name}`,
  )
  t.same(faultsOfOmission(architecture, 'floor', floors), [])
  t.same(faultsOfProtocol(readPage('docs/protocol.md'), MUTANTS, hasFile), [])
  const rule = (file: string, mutant: string, test: string) => ({
    path: 'docs/protocol.md',
    text: `| One | promise | from | \`${file}\` | \`${mutant}\` | \`${test}\` |`,
  })
  const mutants = [{ id: 'm', file: 'src/views/a.ts' }]
  const there = (path: string) => path !== 'src/gone.ts'
  t.same(faultsOfProtocol(rule('src/views/a.ts', 'm', 'test/a.ts'), mutants, there), [])
  t.same(faultsOfProtocol(rule('src/gone.ts', 'm', 'test/a.ts'), mutants, there), [
    'One: src/gone.ts is not there',
    'One: the mutant m does not change src/gone.ts',
    'docs/protocol.md has no rule of src/views/a.ts',
  ])
  t.same(faultsOfProtocol({ path: 'x.md', text: '' }, [], there), ['x.md has no rules'])
})

t.test('the index of decisions has each page once', async t => {
  const pages = filesUnder('docs/decisions', '.md').map(path => path.slice('docs/decisions/'.length))
  const index = readPage('docs/decisions/README.md')
  t.same(
    faultsOfIndex(
      index,
      pages.filter(page => page !== 'README.md'),
    ),
    [],
  )
  t.same(faultsOfIndex({ path: 'i.md', text: '- [0001](a.md) A' }, ['a.md', 'b.md']), [
    'i.md has to list b.md once',
  ])
})

t.test('what is generated is up to date', async t => {
  for (const path of Object.keys(GENERATED)) {
    const { text } = readPage(path)
    t.equal(renewed(path, text), text, `${path} (npm run docs writes it)`)
  }
})

t.test('every command has help that a newcomer can work from', async t => {
  for (const command of program.commands) {
    t.ok(command.description().length > 20, `${command.name()} says what it does`)
    for (const option of command.options) t.ok(option.description, `${command.name()} ${option.flags}`)
  }
})

t.test('the package ships what it needs, and its lock file every package', async t => {
  const { files } = packageFields()
  // The declarations and the JavaScript are made when the package is packed; test/package.long.test.ts uses them.
  for (const path of files)
    if (!/^(?:!|(?:types|dist)\b)/.test(path)) t.ok(existsSync(join(repositoryRoot, path)), path)
  const lock = JSON.parse(readPage('package-lock.json').text) as {
    packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>
  }
  const names = Object.keys(lock.packages)
  const missing = Object.values(lock.packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter(name => !names.some(path => path.endsWith(`node_modules/${name}`)))
  t.same(missing, [], 'packages of other platforms are locked too, or npm ci refuses to run there and here')
})

/** `GET /get/a` of a page's inline code, and the columns of its tables. */
function namedRoutes(text: string): string[] {
  return [...text.matchAll(/`((?:GET|HEAD|PUT|POST|DELETE) \/[^\s`?]*)/g)].map(match => match[1] as string)
}

t.test('each rule of form can fail', async t => {
  const owner = '/**\n * A thing.\n */\n'
  const rows: [string, string, RegExp][] = [
    ['src/files/a.ts', 'export const a = 1\n', /does not open with what it is/],
    ['src/files/a.ts', '// Does things.\nexport const a = 1\n', /does not open/],
    ['src/files/a.ts', '/**\n * Owns a thing.\n */\nexport const a = 1\n', /does not open/],
    ['src/files/a.ts', `${owner}${'\n'.repeat(FILE_LINES_MAX)}`, /has 403 lines/],
    ['src/files/a.ts', `${owner}function f() {${'\n'.repeat(FUNCTION_LINES_MAX)}}`, /a function of 61 lines/],
    [
      'src/files/a.ts',
      `${owner}const f = () => {${'\n'.repeat(FUNCTION_LINES_MAX)}}`,
      /a function of 61 lines/,
    ],
    ['src/ring/a.ts', `${owner}import { b } from '../storage/storage.ts'`, /ring may not import storage/],
    ['src/ring/a.ts', `${owner}import type { B } from '../http/server.ts'`, /ring may not import http/],
    ['src/ring/a.ts', `${owner}export { b } from '../http/server.ts'`, /ring may not import http/],
    ['src/ring/a.ts', `${owner}const b = await import('../http/server.ts')`, /ring may not import http/],
    ['src/ring/a.ts', `${owner}type B = import('../http/server.ts').B`, /ring may not import http/],
    ['src/http/a.ts', `${owner}import { b } from '../client/client.ts'`, /http may not import client/],
    ['src/client/a.ts', `${owner}import { b } from '../storage/storage.ts'`, /client may not import storage/],
    ['src/node.ts', `${owner}import { b } from './cli/main.ts'`, /node may not import cli/],
    ['src/files/a.ts', `${owner}import { b } from '../lab/simulator/world.ts'`, /files may not import lab/],
    ['src/files/a.ts', `${owner}import { b } from './b'`, /without its .ts/],
    ['src/files/a.ts', `${owner}import { b } from '../../test/b.ts'`, /which is no source/],
    ['src/attic/a.ts', owner, /"attic", which nobody has described/],
    [
      'src/replication/entry/a.ts',
      `${owner}import { b } from '../chain/liveness.ts'`,
      /which the entry node reaches through its port/,
    ],
    ['src/http/a.ts', `${owner}const a = ring.driver.machine.views`, /reads the inside of the core/],
    ['src/replication/chain/a.ts', `${owner}function f(m: Readonly<Machine>) {}`, /takes the whole machine/],
    ['src/http/a.ts', `${owner}const { machine } = ring.driver`, /reads the inside of the core/],
    [
      'src/membership/a.ts',
      `${owner}import type { Machine } from '../replication/chain/machine-state.ts'`,
      /reads the inside of the core/,
    ],
    ['src/files/a.ts', `${owner}export default 1`, /exports a default/],
    ['src/files/a.ts', `${owner}export default function f() {}`, /exports a default/],
    ['src/files/a.ts', `${owner}const a = 1\nexport { a as default }`, /exports a default/],
    ['src/files/a.ts', `${owner}const a = Date.now()`, /uses Date.now/],
    ['src/files/a.ts', `${owner}const a = globalThis.Date.now()`, /uses Date.now/],
    ['src/files/a.ts', `${owner}const a = new Date()`, /uses new Date\(\)/],
    ['src/files/a.ts', `${owner}const a = Date()`, /uses Date\(\)/],
    ['src/files/a.ts', `${owner}const a = Math.random()`, /uses Math.random/],
    ['src/files/a.ts', `${owner}setTimeout(f, 1)`, /uses setTimeout/],
    ['src/files/a.ts', `${owner}const later = setTimeout`, /uses setTimeout/],
    ['src/files/a.ts', `${owner}globalThis.setInterval(f, 1)`, /uses setInterval/],
    ['src/files/a.ts', `${owner}const a = performance.now()`, /uses performance/],
    ['src/files/a.ts', `${owner}const a = AbortSignal.timeout(1)`, /uses AbortSignal.timeout/],
    ['src/files/a.ts', `${owner}const a = AbortSignal.any([])`, /uses AbortSignal.any/],
    [
      'src/files/a.ts',
      `${owner}import { setTimeout as sleep } from 'node:timers/promises'`,
      /uses node:timers/,
    ],
    ['src/files/a.ts', `${owner}import { performance } from 'node:perf_hooks'`, /uses node:perf_hooks/],
    ['src/files/a.ts', `${owner}import { randomUUID as id } from 'node:crypto'`, /uses randomUUID/],
  ]
  for (const [path, text, fault] of rows)
    t.match(
      faultsOf({ path, text }).join('\n'),
      fault,
      `${path}: ${text.slice(owner.length, owner.length + 60)}`,
    )
})

t.test('the rules of form let good code pass', async t => {
  const text = `/**
 * A thing.
 */
import { createHash } from 'node:crypto'
import type { Performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { StoreError } from '../errors.ts'
import { etagOf } from '../storage/record.ts'
import { sibling } from './sibling.ts'
export const at = new Date(0)
export function f(socket: { setTimeout(ms: number): void; performance: number }) {
  socket.setTimeout(1)
  return { setTimeout: socket.performance, from: at.getTime() }
}
`
  t.same(faultsOf({ path: 'src/files/a.ts', text }), [])
  t.same(
    faultsOf({ path: 'src/env.ts', text: '/**\n * Time.\n */\nexport const now = () => Date.now()\n' }),
    [],
  )
})

const inventory: Inventory = {
  options: new Set(['--port', '-p', '--help']),
  variables: new Set(['ALTERED_CHORD_PORT']),
  commands: new Set(['put']),
  codes: new Set(['FILE_EXISTS']),
  routes: ['GET /get/*', 'POST /copy/*/*', 'GET /list'],
  npmScripts: new Set(['lint']),
  hasFile: path => ['README.md', 'docs/errors.md', 'src/errors.ts'].includes(path),
}

t.test('each rule of documentation can fail', async t => {
  const rows: [string, RegExp][] = [
    ['Say `--prot`.', /names --prot/],
    ['Say `-x`.', /names -x/],
    ['```sh\nnode start --prot 1\n```', /:2 names --prot/],
    ['```sh\naltered-chord puts a b\n```', /names altered-chord puts/],
    ['Set `ALTERED_CHORD_PROT`.', /names ALTERED_CHORD_PROT/],
    ['It is `FILE_EXIST`.', /names FILE_EXIST/],
    ['```json\n{"code": "FILE_EXIST"}\n```', /names FILE_EXIST/],
    ['Ask `GET /gets/a`.', /names GET \/gets\/a/],
    ['Ask `PUT /get/a`.', /names PUT \/get\/a/],
    ['```sh\ncurl -T a http://127.0.0.1:5000/gets/a\n```', /names \* \/gets\/a/],
    ['Run `npm run lnt`.', /names npm run lnt/],
    ['See `src/error.ts`.', /names src\/error.ts/],
    ['See `readme.md`.', /names readme.md/],
    ['See [errors](errors.md).', /links to errors.md/],
  ]
  for (const [text, fault] of rows)
    t.match(faultsOfPage({ path: 'README.md', text }, inventory).join('\n'), fault, text)
  const page = { path: 'docs/x.md', text: '| `FILE_EXISTS` |\n`FILE_GONE` FILE_TOO' }
  t.same(faultsOfOmission(page, 'code', ['FILE_EXISTS', 'FILE_TOO']), ['docs/x.md misses the code FILE_TOO'])
})

t.test('the rules of documentation let a good page pass', async t => {
  const text = `
Start with \`-p 5000\` or \`ALTERED_CHORD_PORT\`; \`FILE_EXISTS\` is in [errors](docs/errors.md#table) and \`src/errors.ts\`.
Ask \`GET /get/PATH?x=1\`, or [others](https://example.com). \`npm run lint\`, \`SIGTERM\`, \`a/b\`.
\`\`\`sh
curl -T file --fail http://127.0.0.1:5000/get/a/b?overwrite=true
altered-chord put a b   # --whatever is fine for curl
\`\`\`
`
  t.same(
    faultsOfPage(
      { path: 'README.md', text: text.replace('   # --whatever is fine for curl', '') },
      inventory,
    ),
    [],
  )
})
