/**
 * The rules of form that every source file is held to. Each rule is a pure function of a parsed file, so that
 * tidy.test.ts can show that it finds what it is for.
 */
import { posix } from 'node:path'
import ts from 'typescript'

/** One broken rule, as a sentence that begins with where it is. */
export type Fault = string

export interface SourceFile {
  /** Relative to the root of the repository, with `/`. */
  readonly path: string
  readonly text: string
}

/** Lines of one function, its doc comment not counted: what fits on a screen. */
export const FUNCTION_LINES_MAX = 60
export const FILE_LINES_MAX = 400

/** Root files and nouns that every layer may import. */
const OPEN_TO_ALL = new Set([
  'src/errors.ts',
  'src/env.ts',
  'src/file-attributes.ts',
  'src/invariant.ts',
  'src/quantity.ts',
  'src/lent-memory.ts',
  'src/stream-over.ts',
  'src/either-signal.ts',
  'src/whole-body.ts',
  'src/views/view.ts',
  'src/storage/record.ts',
  'src/storage/user-meta.ts',
])

/** What the entry node imports of the core: nouns, and rules that need no state. All else goes through its port. */
const ENTRY = 'src/replication/entry/'
const OPEN_TO_THE_ENTRY = new Set(
  ['chain-record', 'facts', 'machine-state', 'messages', 'outcomes', 'votes'].map(
    name => `src/replication/chain/${name}.ts`,
  ),
)

/** Who may import whom, beside itself and what is open to all. A layer is a folder of src, or a file beside them. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  ring: [],
  storage: ['ring'],
  views: ['ring'],
  peer: ['ring'],
  routing: ['ring', 'peer'],
  replication: ['views', 'storage', 'peer', 'ring'],
  calls: ['replication', 'routing', 'views', 'peer', 'storage', 'ring'],
  // Membership keeps the network beside the files.
  membership: ['calls', 'replication', 'routing', 'views', 'peer', 'storage', 'ring'],
  operations: ['membership', 'calls', 'replication', 'routing', 'views', 'peer', 'storage', 'ring'],
  'ring-node': [
    'operations',
    'membership',
    'calls',
    'replication',
    'routing',
    'views',
    'peer',
    'storage',
    'ring',
  ],
  // Files are written through replication; storage is what a check of this disk reads.
  files: ['replication', 'routing', 'storage', 'ring'],
  // The endpoints of the peers hang in the same server.
  http: [
    'dav',
    'files',
    'ring-node',
    'operations',
    'membership',
    'calls',
    'routing',
    'peer',
    'config',
    'program-files',
    'ring',
  ],
  // The endpoints of WebDAV, which hang in the same server.
  dav: ['http', 'files', 'storage', 'ring'],
  // Another protocol over the same files; it takes how connections and bodies are handled from the first one.
  s3: ['files', 'http', 'config', 'peer', 'ring'],
  client: ['ring'],
  cli: ['client', 'config', 'settings', 'read-config', 'node', 'version', 'program-files', 'ring'],
  // Settings name what the network has in common.
  config: ['calls', 'membership', 'routing', 'ring'],
  settings: ['config'],
  'read-config': [
    'config',
    'settings',
    'read-s3-config',
    'read-routing-config',
    'read-tls-config',
    'membership',
    'ring',
  ],
  'read-routing-config': ['config', 'settings', 'membership'],
  'read-s3-config': ['config', 'settings'],
  'read-tls-config': ['config'],
  listen: ['peer', 'ring'],
  node: [
    'ring',
    'storage',
    'views',
    'peer',
    'routing',
    'replication',
    'membership',
    'ring-node',
    'files',
    'http',
    's3',
    'config',
    'listen',
    'version',
  ],
  errors: [],
  env: [],
  invariant: ['version'],
  quantity: [],
  'lent-memory': [],
  'stream-over': [],
  'either-signal': [],
  'whole-body': [],
  'file-attributes': [],
  'program-files': [],
  version: [],
  // The laboratory drives everything, and nothing imports it but one command.
  lab: [
    'ring',
    'storage',
    'views',
    'peer',
    'routing',
    'replication',
    'calls',
    'membership',
    'operations',
    'ring-node',
    'files',
    'http',
    'config',
    'client',
    'node',
  ],
}

/** The command outside of the laboratory that may start what is in it. */
const EXPERIMENT_COMMAND = /^src\/cli\/experiment(-[a-z]+)?\.ts$/

/** The core itself, who runs it, and the simulator, whose invariants look at all of it. */
const MAY_SEE_THE_MACHINE = ['src/replication/chain/', 'src/lab/']

const CORE = 'src/replication/chain/'

/** What all modules of the core share. */
const COMMON_STATE = 'src/replication/chain/machine-state.ts'

/** Those that put the modules together. */
const SEES_THE_WHOLE = /\/(machine|machine-parts|handlers)\.ts$/

/** The one file that touches the machine's clock, randomness and timers. */
const ENV_FILE = 'src/env.ts'

// setImmediate is not among them: a turn of the event loop has no length, and every clock can live with it.
const AMBIENT_GLOBALS = new Set(['setTimeout', 'setInterval', 'performance'])
const AMBIENT_MEMBERS = new Set([
  'Date.now',
  'Math.random',
  'process.hrtime',
  'process.uptime',
  'AbortSignal.timeout',
  'crypto.randomUUID',
  'crypto.getRandomValues',
])
const AMBIENT_MODULES = new Set(['node:timers', 'node:timers/promises', 'node:perf_hooks'])
const AMBIENT_OF_CRYPTO = new Set([
  'randomBytes',
  'randomUUID',
  'randomInt',
  'randomFill',
  'randomFillSync',
  'webcrypto',
])

/** Every fault of form in one file. */
export function faultsOf(file: SourceFile): Fault[] {
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
  return [
    ...headerFaults(file, tree),
    ...lengthFaults(file, tree),
    ...importFaults(file, tree),
    ...defaultExportFaults(file, tree),
    ...insideFaults(file, tree),
    ...wholeStateFaults(file, tree),
    ...(file.path === ENV_FILE ? [] : ambientFaults(file, tree)),
    ...signalFaults(file, tree),
  ]
}

/** Files that import each other in a circle, each as `a.ts → b.ts → a.ts`. Types count, too. */
export function circlesOf(files: readonly SourceFile[]): Fault[] {
  const imports = new Map(files.map(file => [file.path, importsOf(file)]))
  const faults: Fault[] = []
  const done = new Set<string>()
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start >= 0) faults.push([...way.slice(start), path].join(' → '))
    if (start >= 0 || done.has(path)) return
    for (const next of imports.get(path) ?? []) walk(next, [...way, path])
    done.add(path)
  }
  for (const path of imports.keys()) walk(path, [])
  return faults
}

function importsOf(file: SourceFile): string[] {
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
  return tree.statements.flatMap(node => {
    const specifier = importedModule(node)
    if (!specifier?.startsWith('.')) return []
    return [posix.join(posix.dirname(file.path), specifier)]
  })
}

function headerFaults(file: SourceFile, tree: ts.SourceFile): Fault[] {
  const [first] = ts.getLeadingCommentRanges(file.text, tree.getFullStart()) ?? []
  const head = first && file.text.slice(first.pos, first.end)
  const opens = head !== undefined && /^\/\*\*\n \* (?!Owns )/.test(head)
  return opens ? [] : [`${file.path}:1 does not open with what it is`]
}

function lengthFaults(file: SourceFile, tree: ts.SourceFile): Fault[] {
  const faults: Fault[] = []
  const lines = file.text.split('\n').length - 1
  if (lines > FILE_LINES_MAX) faults.push(`${file.path} has ${lines} lines`)
  visit(tree, node => {
    if (!ts.isFunctionLike(node)) return
    const start = lineOf(tree, node)
    const length = tree.getLineAndCharacterOfPosition(node.getEnd()).line + 1 - start + 1
    if (length > FUNCTION_LINES_MAX) faults.push(`${file.path}:${start} has a function of ${length} lines`)
  })
  return faults
}

function importFaults(file: SourceFile, tree: ts.SourceFile): Fault[] {
  const faults: Fault[] = []
  const layer = layerOf(file.path)
  const allowed = LAYERS[layer]
  if (allowed === undefined)
    faults.push(`${file.path} lies in the layer "${layer}", which nobody has described`)
  visit(tree, node => {
    const specifier = importedModule(node)
    if (!specifier?.startsWith('.')) return
    const target = posix.join(posix.dirname(file.path), specifier)
    const where = `${file.path}:${lineOf(tree, node)}`
    if (!target.endsWith('.ts')) faults.push(`${where} imports ${specifier} without its .ts`)
    if (!target.startsWith('src/')) faults.push(`${where} imports ${target}, which is no source`)
    if (file.path.startsWith(ENTRY) && target.startsWith(CORE) && !OPEN_TO_THE_ENTRY.has(target))
      faults.push(`${where} imports ${target}, which the entry node reaches through its port`)
    const other = layerOf(target)
    if (other === layer || OPEN_TO_ALL.has(target)) return
    if (other === 'lab' && EXPERIMENT_COMMAND.test(file.path)) return
    if (!allowed?.includes(other)) faults.push(`${where} imports ${target}: ${layer} may not import ${other}`)
  })
  return faults
}

function importedModule(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : undefined
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments
    return argument && ts.isStringLiteral(argument) ? argument.text : undefined
  }
  if (
    ts.isImportTypeNode(node) &&
    ts.isLiteralTypeNode(node.argument) &&
    ts.isStringLiteral(node.argument.literal)
  ) {
    return node.argument.literal.text
  }
  return undefined
}

function defaultExportFaults(file: SourceFile, tree: ts.SourceFile): Fault[] {
  const faults: Fault[] = []
  visit(tree, node => {
    const isDefault =
      ts.isExportAssignment(node) ||
      (ts.canHaveModifiers(node) &&
        ts.getModifiers(node)?.some(modifier => modifier.kind === ts.SyntaxKind.DefaultKeyword)) ||
      (ts.isExportSpecifier(node) && node.name.text === 'default')
    if (isDefault) faults.push(`${file.path}:${lineOf(tree, node)} exports a default`)
  })
  return faults
}

/** A function of the core takes the state of its module and of those below it, never the whole machine. */
function wholeStateFaults(file: SourceFile, tree: ts.SourceFile): Fault[] {
  if (!file.path.startsWith(CORE) || SEES_THE_WHOLE.test(file.path)) return []
  const faults: Fault[] = []
  visit(tree, node => {
    if (ts.isParameter(node) && node.type !== undefined && /\bMachine\b/.test(node.type.getText()))
      faults.push(`${file.path}:${lineOf(tree, node)} takes the whole machine`)
  })
  return faults
}

/** Where each field of the core's state is declared that is not common to all modules: `m.field` by name. */
export function ownersOf(files: readonly SourceFile[]): ReadonlyMap<string, string> {
  const owners = new Map<string, string>()
  for (const file of files) {
    if (!file.path.startsWith(CORE) || file.path === COMMON_STATE) continue
    for (const node of parsed(file).statements) {
      if (!ts.isInterfaceDeclaration(node) || node.heritageClauses === undefined) continue
      for (const member of node.members) if (member.name) owners.set(member.name.getText(), file.path)
    }
  }
  return owners
}

/** Changes of a field of the core's state outside of the module that declares it. */
export function faultsOfOwnership(file: SourceFile, owners: ReadonlyMap<string, string>): Fault[] {
  const tree = parsed(file)
  const faults: Fault[] = []
  visit(tree, node => {
    if (!ts.isPropertyAccessExpression(node) || node.expression.getText() !== 'm') return
    const owner = owners.get(node.name.text)
    if (owner === undefined || owner === file.path || !isChange(node)) return
    faults.push(`${file.path}:${lineOf(tree, node)} changes ${node.name.text}, which is ${owner}'s`)
  })
  return faults
}

const CHANGES = new Set(['set', 'add', 'delete', 'clear', 'push'])

/** `m.a = …`, `m.a++`, `m.a.set(…)` and the like. */
function isChange(node: ts.PropertyAccessExpression): boolean {
  const { parent } = node
  if (ts.isBinaryExpression(parent) && parent.left === node)
    return (
      parent.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      parent.operatorToken.kind <= ts.SyntaxKind.LastAssignment
    )
  if (ts.isPostfixUnaryExpression(parent) || ts.isPrefixUnaryExpression(parent))
    return (
      parent.operator === ts.SyntaxKind.PlusPlusToken || parent.operator === ts.SyntaxKind.MinusMinusToken
    )
  return ts.isPropertyAccessExpression(parent) && CHANGES.has(parent.name.text)
}

function parsed(file: SourceFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
}

/** Whoever is not part of the core sees it through its ports: NetworkView and KeptHere (network-view.ts). */
function insideFaults(file: SourceFile, tree: ts.SourceFile): Fault[] {
  if (MAY_SEE_THE_MACHINE.some(start => file.path.startsWith(start))) return []
  const faults: Fault[] = []
  visit(tree, node => {
    const name =
      ts.isPropertyAccessExpression(node) || ts.isImportSpecifier(node) || ts.isBindingElement(node)
        ? node.name.getText()
        : undefined
    if (name === 'machine' || name === 'Machine')
      faults.push(`${file.path}:${lineOf(tree, node)} reads the inside of the core`)
  })
  return faults
}

function ambientFaults(file: SourceFile, tree: ts.SourceFile): Fault[] {
  const faults: Fault[] = []
  const fault = (node: ts.Node, what: string) =>
    faults.push(`${file.path}:${lineOf(tree, node)} uses ${what}; Env has it`)
  visit(tree, node => {
    const name = ambientName(node)
    if (name !== undefined) fault(node, name)
  })
  return faults
}

/** A signal that lives as long as the process would remember whatever was combined from it. */
function signalFaults(file: SourceFile, tree: ts.SourceFile): Fault[] {
  const faults: Fault[] = []
  visit(tree, node => {
    if (ts.isPropertyAccessExpression(node) && /(^|\.)AbortSignal\.any$/.test(node.getText()))
      faults.push(`${file.path}:${lineOf(tree, node)} uses AbortSignal.any; src/either-signal.ts forgets`)
  })
  return faults
}

function ambientName(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const name = node.getText().replace(/^globalThis\./, '')
    return AMBIENT_MEMBERS.has(name) ? name : undefined
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date') {
    return (node.arguments?.length ?? 0) === 0 ? 'new Date()' : undefined
  }
  if (ts.isCallExpression(node) && node.expression.getText() === 'Date') return 'Date()'
  if (ts.isIdentifier(node) && AMBIENT_GLOBALS.has(node.text)) return isFreeName(node) ? node.text : undefined
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return ambientImport(node, node.moduleSpecifier.text)
  }
  return undefined
}

function ambientImport(node: ts.ImportDeclaration, module: string): string | undefined {
  if (node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return undefined
  const bindings = node.importClause?.namedBindings
  const names =
    bindings && ts.isNamedImports(bindings)
      ? bindings.elements.map(({ name, propertyName }) => (propertyName ?? name).text)
      : undefined
  if (AMBIENT_MODULES.has(module)) return names?.every(name => name === 'setImmediate') ? undefined : module
  if (module !== 'node:crypto') return undefined
  return names?.find(name => AMBIENT_OF_CRYPTO.has(name))
}

/** True for the global itself, false for a member, field or key that happens to have its name. */
function isFreeName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) {
    return parent.expression === node || parent.expression.getText() === 'globalThis'
  }
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  return !(ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent) || ts.isPropertySignature(parent))
}

/** The folder under src, or the name of a file that lies in src itself. */
function layerOf(path: string): string {
  const [, first = ''] = path.split('/')
  return first.replace(/\.ts$/, '')
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart()).line + 1
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node)
  ts.forEachChild(node, child => visit(child, see))
}
