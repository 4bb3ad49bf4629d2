import type { AccessLevelName, DeviceAccessRule } from '@gatehouse/exchange'
import type { AccessLevel, OrganizationToReconcile } from '@gatehouse/store'

export type OrganizationChange =
  | { kind: 'set-default'; level: AccessLevelName }
  | { kind: 'new-rule'; rule: Omit<DeviceAccessRule, 'identity'> }
  | { kind: 'set-rule'; identity: string; level: AccessLevelName }

const NAMES: Record<AccessLevel, AccessLevelName> = { allow: 'Allow', block: 'Block', quarantine: 'Quarantine' }

/**
 * What brings Exchange's default level and device access rules to the policy. Rules the policy does not know stay: nothing
 * tells whether an administrator or an earlier policy made them. Exceptions come before the default, so that lowering the
 * default does not cut off for a moment what an exception lets in.
 */
export function planOrganizationChange(
  desired: Pick<OrganizationToReconcile, 'default_access_level' | 'exceptions'>,
  actual: { defaultAccessLevel: string; rules: readonly DeviceAccessRule[] },
): OrganizationChange[] {
  const changes: OrganizationChange[] = []
  for (const { characteristic, queryString, accessLevel } of desired.exceptions) {
    const level = NAMES[accessLevel]
    const rule = actual.rules.find((each) => isFor(each, characteristic, queryString))
    if (rule === undefined) changes.push({ kind: 'new-rule', rule: { characteristic, queryString, accessLevel: level } })
    else if (!isSame(rule.accessLevel, level)) changes.push({ kind: 'set-rule', identity: rule.identity, level })
  }
  const level = NAMES[desired.default_access_level]
  if (!isSame(actual.defaultAccessLevel, level)) changes.push({ kind: 'set-default', level })
  return changes
}

function isFor(rule: DeviceAccessRule, characteristic: string, queryString: string): boolean {
  return isSame(rule.characteristic, characteristic) && isSame(rule.queryString, queryString)
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
