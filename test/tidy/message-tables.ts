/**
 * The tables of what nodes say to each other, as they stand in the source: which kinds, in which order.
 */
import ts from 'typescript'
import type { SourceFile } from './source-rules.ts'

/** The keys of an object that a file declares by this name; those of what it spreads stand in its place. */
export function keysOf(file: SourceFile, name: string): string[] {
  const tree = treeOf(file)
  const declared = tree.statements
    .flatMap(statement => (ts.isVariableStatement(statement) ? statement.declarationList.declarations : []))
    .find(declaration => declaration.name.getText(tree) === name)?.initializer
  if (declared === undefined || !ts.isObjectLiteralExpression(declared)) return []
  return declared.properties.flatMap(property => {
    if (ts.isSpreadAssignment(property)) return keysOf(file, property.expression.getText(tree))
    return property.name === undefined ? [] : [textOf(property.name, tree)]
  })
}

/** The cases of the first switch over `subject` in a file. */
export function casesOf(file: SourceFile, subject: string): string[] {
  const tree = treeOf(file)
  const cases: string[] = []
  const visit = (node: ts.Node): void => {
    if (cases.length > 0) return
    if (ts.isSwitchStatement(node) && node.expression.getText(tree) === subject) {
      for (const clause of node.caseBlock.clauses)
        if (ts.isCaseClause(clause)) cases.push(textOf(clause.expression, tree))
    } else ts.forEachChild(node, visit)
  }
  visit(tree)
  return cases
}

function textOf(node: ts.Node, tree: ts.SourceFile): string {
  return ts.isStringLiteral(node) ? node.text : node.getText(tree)
}

function treeOf({ path, text }: SourceFile): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
}
