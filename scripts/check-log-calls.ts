import ts from 'typescript'
import type { SourceFile } from './check-boundaries.ts'

/*
 * One vocabulary for the log: a constant message, and facts under keys that docs/operations/logs.md explains. Pure: sources in,
 * findings out.
 */

const LEVELS: ReadonlySet<string> = new Set(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
const WHERE = /^(libs|services)\/[^/]+\/src\//
/** In a row of a table of logs.md: `key`. */
const ROW = /^\| `(\w+)` \|/gm
/** What the logger itself writes. */
const OF_THE_LOGGER: readonly string[] = ['level', 'time', 'pid', 'hostname', 'name', 'msg', 'traceId', 'spanId']

/** The keys that the page explains. */
export function readVocabulary(page: string): Set<string> {
  return new Set([...page.matchAll(ROW)].flatMap((row) => row[1] ?? []))
}

/** Every log call that breaks a rule, as `path:line: what is wrong`, and every word of the vocabulary that nobody uses. */
export function findLogBreaches(files: readonly SourceFile[], vocabulary: ReadonlySet<string>): string[] {
  const used = new Set(OF_THE_LOGGER)
  const breaches: string[] = []
  for (const { path, text } of files) {
    if (!WHERE.test(path) || path.endsWith('.test.ts') || !text.includes('log')) continue
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
    const say = (node: ts.Node, what: string) =>
      breaches.push(`${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${what}`)
    for (const call of listLogCalls(source)) {
      const { keys, problems } = judge(call)
      for (const problem of problems) say(call, problem)
      for (const key of keys) {
        used.add(key)
        if (!vocabulary.has(key)) say(call, `${key} is not in the vocabulary of docs/operations/logs.md`)
      }
    }
  }
  const unused = [...vocabulary].filter((key) => !used.has(key))
  return [...breaches, ...unused.map((key) => `docs/operations/logs.md: nobody logs ${key}`)]
}

type Judgement = { readonly keys: readonly string[]; readonly problems: readonly string[] }

const keysOnly = (keys: readonly string[]): Judgement => ({ keys, problems: [] })
const problem = (text: string): Judgement => ({ keys: [], problems: [text] })
const join = (all: readonly Judgement[]): Judgement => ({
  keys: all.flatMap(({ keys }) => keys),
  problems: all.flatMap(({ problems }) => problems),
})

function listLogCalls(root: ts.Node): ts.CallExpression[] {
  const calls: ts.CallExpression[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isLogCall(node)) calls.push(node)
    ts.forEachChild(node, visit)
  }
  visit(root)
  return calls
}

/** `log.warn(…)`, `deps.log.warn(…)`, `this.log[level](…)`, `log.child(…)`. */
function isLogCall({ expression }: ts.CallExpression): boolean {
  if (ts.isPropertyAccessExpression(expression)) {
    const method = expression.name.text
    return (LEVELS.has(method) || method === 'child') && isLog(expression.expression)
  }
  return ts.isElementAccessExpression(expression) && isLog(expression.expression)
}

function isLog(node: ts.Expression): boolean {
  if (ts.isIdentifier(node)) return node.text === 'log' || node.text === 'logger'
  return ts.isPropertyAccessExpression(node) && (node.name.text === 'log' || node.name.text === 'logger')
}

function judge(call: ts.CallExpression): Judgement {
  const [first, second] = call.arguments
  if (first === undefined) return problem('logs nothing')
  const isChild = ts.isPropertyAccessExpression(call.expression) && call.expression.name.text === 'child'
  if (isChild) return judgeFields(first)
  if (second === undefined) return judgeMessage(first)
  return join([judgeFields(first), judgeMessage(second)])
}

function judgeMessage(node: ts.Expression): Judgement {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return keysOnly([])
  if (ts.isConditionalExpression(node)) return join([judgeMessage(node.whenTrue), judgeMessage(node.whenFalse)])
  return problem('the message is not a constant: what varies is a fact and has a key')
}

function judgeFields(node: ts.Expression): Judgement {
  if (ts.isParenthesizedExpression(node)) return judgeFields(node.expression)
  if (ts.isConditionalExpression(node)) return join([judgeFields(node.whenTrue), judgeFields(node.whenFalse)])
  // Of `condition && { … }` only the right side has keys.
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken)
    return judgeFields(node.right)
  if (ts.isObjectLiteralExpression(node)) return join(node.properties.map(judgeProperty))
  if (ts.isIdentifier(node)) {
    const value = findConstant(node)
    if (value !== undefined) return judgeFields(value)
  }
  return problem(`the keys of ${node.getText()} cannot be told here: name them, or put it under a key`)
}

function judgeProperty(property: ts.ObjectLiteralElementLike): Judgement {
  if (ts.isSpreadAssignment(property)) return judgeFields(property.expression)
  const { name } = property
  if (name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name))) return keysOnly([name.text])
  return problem('a computed key')
}

/** What the nearest `const` of this name is bound to, in the blocks around it. */
function findConstant({ text, parent }: ts.Identifier): ts.Expression | undefined {
  for (let node: ts.Node = parent; node.parent !== undefined; node = node.parent) {
    if (!ts.isBlock(node) && !ts.isSourceFile(node)) continue
    for (const statement of node.statements) {
      if (!ts.isVariableStatement(statement)) continue
      for (const { name, initializer } of statement.declarationList.declarations)
        if (ts.isIdentifier(name) && name.text === text) return initializer
    }
  }
  return undefined
}
