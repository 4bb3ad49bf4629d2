import { isBuiltin } from 'node:module'
import { posix } from 'node:path'

/*
 * The rules of the layout that `turbo boundaries` cannot tell. Pure: sources in, findings out.
 */

export type SourceFile = { readonly path: string; readonly text: string }

const LINES_MAX = 400
const NAMELESS = ['utils', 'util', 'common', 'helpers', 'helper', 'types', 'interfaces', 'misc']

/** Where nothing may do I/O, and what may be imported there besides files of the same folder. */
const PURE_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  'libs/policy/src/': ['@gatehouse/messages', 'zod'],
  'libs/powershell/src/protocol/': ['@gatehouse/messages', 'saxes', 'node:crypto', 'node:buffer', 'node:util'],
}

/** The one product part that simulators may share: a simulator that shares the client's opinions proves nothing. */
const SHARED_WITH_SIMULATORS = '@gatehouse/powershell/protocol'
const SIMULATORS = 'test/simulators/'
/** Who may import the simulators: the command that starts them, and tests. */
const STARTS_SIMULATORS = ['services/cli/', 'test/']

/** Every breach of a rule, as `path: what is wrong`. */
export function findBreaches(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    [...findNames(file), ...findLength(file), ...findImports(file)].map((what) => `${file.path}: ${what}`),
  )
}

/** The modules a source imports, types included; `import type` of an I/O module is as much a dependency. */
export function listImports(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  return [...code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g)].flatMap((match) => match[2] ?? [])
}

function findNames({ path }: SourceFile): string[] {
  const parts = path.split('/').map((part) => part.replace(/\.(test\.)?\w+$/, ''))
  return parts
    .filter((part) => NAMELESS.includes(part))
    .map((part) => `"${part}" says nothing: a thing lives with its subject or gets a name`)
}

function findLength({ text }: SourceFile): string[] {
  const lines = text.split('\n').length - 1
  return lines > LINES_MAX ? [`${lines} lines, at most ${LINES_MAX}`] : []
}

function findImports({ path, text }: SourceFile): string[] {
  const isTest = /\.test\.ts$|(^|\/)test\//.test(path) && !path.startsWith(SIMULATORS)
  const imports = listImports(text)
  return [
    // The scripts' own tests quote imports that are wrong.
    ...(path.startsWith('scripts/') ? [] : imports)
      .filter((name) => /^@gatehouse\/[^/]+\/src\//.test(name))
      .map((name) => `imports ${name} past the package's exports`),
    ...(path.endsWith('.test.ts') ? [] : findImpure(path, imports)),
    ...findSimulatorImports(path, imports, isTest),
  ]
}

function findImpure(path: string, imports: readonly string[]): string[] {
  const folder = Object.keys(PURE_FOLDERS).find((one) => path.startsWith(one))
  if (folder === undefined) return []
  const allowed = PURE_FOLDERS[folder] ?? []
  return imports
    .filter((name) => !allowed.includes(name) && !(name.startsWith('.') && resolveFrom(path, name).startsWith(folder)))
    .map(
      (name) => `imports ${name}${isBuiltin(name) ? '' : ', which is not of this folder'}, but nothing in ${folder} may do I/O`,
    )
}

function findSimulatorImports(path: string, imports: readonly string[], isTest: boolean): string[] {
  if (path.startsWith(`${SIMULATORS}src/`)) {
    return imports
      .filter((name) => (name.startsWith('@gatehouse/') && name !== SHARED_WITH_SIMULATORS) || leaves(path, name))
      .map((name) => `imports ${name}; simulators share ${SHARED_WITH_SIMULATORS} with the product and nothing else`)
  }
  const mayStart = isTest || STARTS_SIMULATORS.some((folder) => path.startsWith(folder))
  if (mayStart) return []
  return imports
    .filter((name) => name.startsWith('@gatehouse/simulators'))
    .map((name) => `imports ${name}: only the command line and tests start simulators`)
}

function leaves(path: string, name: string): boolean {
  return name.startsWith('.') && !resolveFrom(path, name).startsWith(SIMULATORS)
}

function resolveFrom(path: string, name: string): string {
  return posix.join(posix.dirname(path), name)
}
