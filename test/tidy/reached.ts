/**
 * The rule that tests reach everything that src exports: by its name, or through something that a test names. A function that only
 * its own file and its fellows know is either tested through them or dead.
 */
import { posix } from 'node:path'
import ts from 'typescript'
import type { Fault, SourceFile } from './source-rules.ts'

interface Module {
  /** Exported functions and classes. */
  readonly behaviour: readonly string[]
  /** What it takes from other files: their paths, and the names, or `*`. */
  readonly takes: readonly (readonly [path: string, name: string])[]
}

/** Exported functions and classes of src that no test reaches. `roots` are the tests and the programs that tests start. */
export function unreachedBehaviour(sources: readonly SourceFile[], roots: readonly SourceFile[]): Fault[] {
  const modules = new Map(sources.map(file => [file.path, moduleOf(file)]))
  const reached = new Map<string, Set<string>>()
  const queue = roots.flatMap(file => moduleOf(file).takes)
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [path, name] = next
    const names = reached.get(path)
    if (names === undefined) queue.push(...(modules.get(path)?.takes ?? []))
    reached.set(path, (names ?? new Set()).add(name))
  }
  return [...modules].flatMap(([path, { behaviour }]) => {
    const names = reached.get(path) ?? new Set()
    return names.has('*')
      ? []
      : behaviour.filter(name => !names.has(name)).map(name => `${path}: no test reaches ${name}`)
  })
}

function moduleOf(file: SourceFile): Module {
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
  const behaviour: string[] = []
  const takes: [string, string][] = []
  const take = (specifier: string, names: readonly string[]) => {
    if (!specifier.startsWith('.')) return
    const path = posix.join(posix.dirname(file.path), specifier)
    for (const name of names) takes.push([path, name])
  }
  for (const node of tree.statements) {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const named = node.importClause?.namedBindings
      const names =
        named && ts.isNamedImports(named)
          ? named.elements.map(one => (one.propertyName ?? one.name).text)
          : ['*']
      take(node.moduleSpecifier.text, names)
    }
    if ((ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)) && node.name !== undefined)
      if (node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
        behaviour.push(node.name.text)
  }
  // What is loaded while the program runs, by import() or as the file of a thread or a process.
  for (const [, specifier] of file.text.matchAll(
    /(?:import|URL|load)\(\s*['"`](\.{1,2}\/[^'"`\s]+\.ts)['"`]/g,
  ))
    take(specifier as string, ['*'])
  return { behaviour, takes }
}
