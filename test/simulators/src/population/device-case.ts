import type { ComplianceState, Truth } from './population.ts'

/** What is rolled for one device of a targeted, licensed person, and what must come of it: written by hand, case by case. */
export type DeviceCase = {
  why: string
  /** Share of the devices of targeted people; `compliant` takes what is left. */
  share: number
  access: Truth['access']
  list: Truth['list']
  settledBy: 'device' | 'administrator'
  /** Whose managed device bears this id in Intune; `unbound`: enrolled, but the row has no easDeviceId. */
  row: 'own' | 'none' | 'colleagues' | 'unbound'
  complianceState: ComplianceState
  easActivated: boolean
  isRegistered: boolean
  /** How Graph writes the id. */
  graphId: 'same' | 'other-case' | 'padded'
  /** The list an administrator had put the id into before. */
  adminList: 'allow' | 'block' | 'none'
  /** An Exchange device access rule that says otherwise. */
  rule: 'none' | 'blocks-model' | 'allows-type'
  isInDeviceDiscovery: boolean
}

const compliant: DeviceCase = {
  why: 'compliant',
  share: 0,
  access: 'allow',
  list: 'allow',
  settledBy: 'device',
  row: 'own',
  complianceState: 'compliant',
  easActivated: true,
  isRegistered: true,
  graphId: 'same',
  adminList: 'none',
  rule: 'none',
  isInDeviceDiscovery: false,
}

const blocked: DeviceCase = { ...compliant, access: 'block', list: 'block' }

/** By name, so that plans can ask for one. The order is that in which small populations get them. */
export const deviceCases = {
  compliant,
  noncompliant: { ...blocked, why: 'noncompliant', share: 0.04, complianceState: 'noncompliant' },
  adminAllowed: {
    ...compliant,
    why: 'admin-allowed',
    share: 0.006,
    settledBy: 'administrator',
    complianceState: 'noncompliant',
    adminList: 'allow',
  },
  adminBlocked: { ...blocked, why: 'admin-blocked', share: 0.006, settledBy: 'administrator', adminList: 'block' },
  preAllowed: { ...compliant, why: 'pre-allowed', share: 0.015, settledBy: 'administrator', adminList: 'allow' },
  preBlocked: {
    ...blocked,
    why: 'pre-blocked',
    share: 0.005,
    settledBy: 'administrator',
    complianceState: 'noncompliant',
    adminList: 'block',
  },
  inGracePeriod: { ...compliant, why: 'in-grace-period', share: 0.025, complianceState: 'inGracePeriod' },
  conflict: { ...blocked, why: 'conflict', share: 0.004, complianceState: 'conflict' },
  error: { ...blocked, why: 'error', share: 0.006, complianceState: 'error' },
  unknown: { ...blocked, why: 'unknown', share: 0.008, complianceState: 'unknown' },
  configManager: { ...blocked, why: 'config-manager', share: 0.005, complianceState: 'configManager' },
  notEnrolled: { ...blocked, why: 'not-enrolled', share: 0.04, row: 'none' },
  easNotActivated: { ...blocked, why: 'eas-not-activated', share: 0.012, easActivated: false },
  notRegistered: { ...blocked, why: 'not-registered', share: 0.01, isRegistered: false },
  colleaguesDevice: { ...blocked, why: 'colleagues-device', share: 0.006, row: 'colleagues' },
  easIdMissing: { ...blocked, why: 'eas-id-missing', share: 0.007, row: 'unbound', easActivated: false },
  otherCase: { ...compliant, why: 'compliant-id-other-case', share: 0.015, graphId: 'other-case' },
  padded: { ...compliant, why: 'compliant-id-padded', share: 0.005, graphId: 'padded' },
  ruleBlocksModel: { ...compliant, why: 'compliant-rule-blocks-model', share: 0.006, rule: 'blocks-model' },
  ruleAllowsType: {
    ...blocked,
    why: 'noncompliant-rule-allows-type',
    share: 0.005,
    complianceState: 'noncompliant',
    rule: 'allows-type',
  },
  inDeviceDiscovery: { ...compliant, why: 'compliant-in-device-discovery', share: 0.005, isInDeviceDiscovery: true },
} as const satisfies Record<string, DeviceCase>
