/*
 * Prints a bill of materials (CycloneDX, JSON) of what an installed Gatehouse consists of: the workers, the command, and every
 * package they bring with them, each with version, licence and checksum. Made from package-lock.json; simulators are left out.
 *
 * Usage: npm run --silent sbom > gatehouse.cdx.json
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Sbom, trimSbom } from './trim-sbom.ts'

const ROOT = resolve(import.meta.dirname, '..')
const TIMEOUT_MS = 120_000
const BYTES_MAX = 2 ** 26

const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  name: string
  optionalDependencies: Record<string, string>
}
const services = readdirSync(join(ROOT, 'services')).map((service) => `@gatehouse/${service}`)
const sbom = trimSbom(readWholeSbom(), {
  roots: [...services, ...Object.keys(own.optionalDependencies)],
  without: ['@gatehouse/simulators'],
})
// npm calls it after the folder that it lies in.
sbom.metadata.component.name = own.name
process.stdout.write(`${JSON.stringify(sbom, undefined, 2)}\n`)

function readWholeSbom(): Sbom {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only']
  const npm = process.env['npm_execpath']
  const [program, all] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args]
  const stdout = execFileSync(program, all, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: BYTES_MAX,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(stdout) as Sbom
}
