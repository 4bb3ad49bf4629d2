// Loads what the processes of the image load, so that Node keeps it stripped of its types and compiled.
import { flushCompileCache } from 'node:module'

const modules = [
  ...['control', 'discovery', 'compliance-lookup', 'enforcement', 'notification'].map((name) => `${name}/src/start-${name}.ts`),
  'cli/src/create-program.ts',
  'cli/src/become-worker.ts',
]
for (const path of modules) await import(new URL(`../../services/${path}`, import.meta.url).href)
await import('./health-check.ts').catch(() => undefined)
process.exitCode = 0
flushCompileCache()
