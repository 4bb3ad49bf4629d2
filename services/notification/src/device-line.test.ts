import { DECISION_REASONS } from '@gatehouse/policy'
import { describe, expect, it } from 'vitest'
import { deviceLine, type NoticeDevice } from './device-line.ts'

const device: NoticeDevice = {
  deviceId: 'ABC',
  deviceType: 'iPhone',
  deviceModel: 'iPhone16C2',
  deviceOs: 'iOS 18',
  friendlyName: 'Phone of Zoé',
  reason: 'not-enrolled',
}

describe('deviceLine', () => {
  it('says what the device is and why it will be blocked, in the language of the user', () => {
    expect(deviceLine(device, 'en')).toBe('Phone of Zoé (iPhone16C2, iOS 18): it is not enrolled in Intune')
    expect(deviceLine({ ...device, friendlyName: '', deviceOs: '' }, 'fr')).toBe(
      "iPhone16C2 : il n'est pas inscrit dans Intune",
    )
  })

  it('has a text of its own for the reasons that end in a block', () => {
    const general = deviceLine({ ...device, reason: 'of-a-later-build' }, 'en')
    const blocking = [
      'not-enrolled',
      'device-of-another-user',
      'eas-id-not-activated',
      'not-registered',
      'noncompliant',
      'compliance-conflict',
      'compliance-error',
      'compliance-unknown',
      'grace-period-expired',
    ] as const

    for (const reason of blocking) {
      expect(DECISION_REASONS).toContain(reason)
      expect(deviceLine({ ...device, reason }, 'en')).not.toBe(general)
    }
    expect(deviceLine({ ...device, reason: 'constructor' }, 'en')).toBe(general)
  })

  it('shortens what a phone calls itself without cutting a character in two', () => {
    const line = deviceLine({ ...device, friendlyName: '📱'.repeat(100) }, 'en')

    expect(line.isWellFormed()).toBe(true)
    expect([...line].filter((character) => character === '📱')).toHaveLength(59)
  })
})
