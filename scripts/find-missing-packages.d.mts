type Lock = { packages?: Record<string, { version?: string; link?: boolean; optional?: boolean; resolved?: string }> }

export function findMissingPackages(wanted: Lock, installed: Lock | undefined): string[]
