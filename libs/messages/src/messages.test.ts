import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createMessage, isMessageType, LANES, MESSAGES, type MessageType, parseRoutingKey, routingKeyOf } from './index.ts'

const fixtures = join(import.meta.dirname, 'fixtures')
const types = Object.keys(MESSAGES) as MessageType[]

describe('the catalogue of messages', () => {
  it('parses a fixture of every version ever sent', () => {
    for (const type of types) {
      const samples = JSON.parse(readFileSync(join(fixtures, `${type}.v1.json`), 'utf8')) as unknown[]
      expect(samples.length).toBeGreaterThan(0)
      for (const sample of samples) expect(MESSAGES[type].schema.parse(sample)).toMatchObject({ type })
    }
  })

  it('has no fixture of a message it does not know', () => {
    const named = readdirSync(fixtures).map((file) => file.replace(/\.v\d+\.json$/, ''))

    expect(named.filter((type) => !isMessageType(type))).toEqual([])
  })

  it('ignores a field it does not know', () => {
    const [sample] = JSON.parse(readFileSync(join(fixtures, 'mailbox.observed.v1.json'), 'utf8')) as object[]

    expect(MESSAGES['mailbox.observed'].schema.parse({ ...sample, tomorrow: true })).not.toHaveProperty('tomorrow')
  })

  it('refuses to create a message with a field that is not what its schema says', () => {
    expect(() => createMessage('notification.send-notice', { noticeId: 'not-a-uuid' })).toThrow(/noticeId/)
  })
})

describe('routing keys', () => {
  it('gives back the lane, type and version of every key it makes', () => {
    for (const lane of LANES)
      for (const type of types) expect(parseRoutingKey(routingKeyOf(lane, type))).toEqual({ lane, type, version: 1 })
  })

  it('does not know a key of somebody else', () => {
    for (const key of [
      '',
      'bulk',
      'slow.mailbox.observed.v1',
      'bulk.mailbox.lost.v1',
      'bulk.mailbox.observed.v1.x',
      'bulk.constructor.x.v1',
    ])
      expect(parseRoutingKey(key)).toBeUndefined()
  })
})
