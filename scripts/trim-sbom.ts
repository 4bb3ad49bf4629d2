type Component = { 'bom-ref': string; purl?: string; properties?: { name: string; value: string }[] }
export type Sbom = {
  metadata: { component: Component & { name: string } }
  components: Component[]
  dependencies: { ref: string; dependsOn?: string[] }[]
}

/**
 * The part of a CycloneDX document that the given components bring with them, `without` others and what only those need.
 * npm's own `--omit dev` also leaves out what the product needs when the root package needs it for development too.
 */
export function trimSbom(sbom: Sbom, { roots, without }: { roots: readonly string[]; without: readonly string[] }): Sbom {
  const edges = new Map(sbom.dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]))
  const kept = new Set<string>()
  const visit = (ref: string): void => {
    if (kept.has(ref) || without.includes(nameOf(ref))) return
    kept.add(ref)
    for (const next of edges.get(ref) ?? []) visit(next)
  }
  const own = sbom.metadata.component['bom-ref']
  const start = sbom.components.map((component) => component['bom-ref']).filter((ref) => roots.includes(nameOf(ref)))
  for (const ref of start) visit(ref)
  const onlyKept = (refs: readonly string[]): string[] => refs.filter((ref) => kept.has(ref))
  return {
    ...sbom,
    components: sbom.components.filter((component) => kept.has(component['bom-ref'])),
    dependencies: [
      { ref: own, dependsOn: start },
      ...sbom.dependencies
        .filter(({ ref }) => kept.has(ref))
        .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: onlyKept(dependsOn) })),
    ],
  }
}

/** The name in `@scope/name@1.0.0`; a reference to one of several copies goes on after a `|`. */
function nameOf(ref: string): string {
  return ref.slice(0, ref.indexOf('@', 1))
}
