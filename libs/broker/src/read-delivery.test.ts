import { createMessage } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { readDelivery } from './read-delivery.ts'

const notice = createMessage('notification.send-notice', { noticeId: '3f1c9a52-7d0e-4a86-9c55-0d4a5b6f7e01' })
const read = (body: unknown) => readDelivery(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)))

describe('reading a delivery', () => {
  it('gives the message', () => {
    expect(read(notice)).toEqual({ kind: 'message', message: notice })
  })

  it('tells a type or a version that a newer build may know', () => {
    expect(read({ ...notice, type: 'mailbox.moved' })).toEqual({ kind: 'unknown', reason: 'unknown-type' })
    expect(read({ ...notice, version: 2, noticeId: 5 })).toEqual({ kind: 'unknown', reason: 'newer-version' })
  })

  it('names every field that is wrong in a version we know', () => {
    const result = read({ ...notice, noticeId: 'x', at: 'yesterday' })

    expect(result).toMatchObject({ kind: 'malformed', problem: 'The message is not a valid notification.send-notice' })
    expect(JSON.parse(result.kind === 'malformed' ? result.issues : '')).toMatchObject([
      { path: ['at'] },
      { path: ['noticeId'] },
    ])
  })

  it('takes for malformed what is no message of anybody', () => {
    for (const body of [
      '',
      '{"type":',
      'null',
      '[]',
      '5',
      '{}',
      { type: 7 },
      { ...notice, version: undefined },
      { ...notice, version: 0 },
    ])
      expect(read(body)).toMatchObject({ kind: 'malformed' })
  })

  it('is not deceived by a type that every object has', () => {
    expect(read({ ...notice, type: 'constructor' })).toEqual({ kind: 'unknown', reason: 'unknown-type' })
  })
})
