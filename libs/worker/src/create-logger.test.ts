import { Tracer } from '@gatehouse/tracing'
import { describe, expect, it } from 'vitest'
import { createLogger, type Logger } from './create-logger.ts'

function createTestLogger(level = 'debug'): { log: Logger; last: () => string; count: () => number } {
  const lines: string[] = []
  const log = createLogger({ name: 'test', level, destination: { write: (line) => lines.push(line) } })
  return { log, last: () => lines.at(-1) ?? '', count: () => lines.length }
}

describe('the logger', () => {
  it('replaces secrets by their key at any depth, and keeps paths of secrets', () => {
    const { log, last } = createTestLogger()

    log.info(
      {
        a: [{ exchange: { password: 'hunter2', passwordFile: '/run/x', clientSecret: 'hunter2' } }],
        headers: { Authorization: 'hunter2' },
      },
      'x',
    )

    expect(last()).not.toContain('hunter2')
    expect(JSON.parse(last())).toMatchObject({ a: [{ exchange: { password: '***', passwordFile: '/run/x' } }] })
  })

  it('replaces secrets in texts: URLs, headers, form fields', () => {
    const { log, last } = createTestLogger()

    for (const text of [
      'connect amqps://gh-control:hunter2@mq:5671/gatehouse failed',
      'sent authorization: Bearer hunter2hunter2',
      'body grant_type=client_credentials&client_secret=hunter2&scope=x',
    ]) {
      log.warn({ said: text }, text)
      expect(last()).not.toContain('hunter2')
      expect(JSON.parse(last())).toMatchObject({ msg: expect.stringContaining('***') })
    }
  })

  it('replaces secrets in errors, in their causes and in their own fields', () => {
    const { log, last } = createTestLogger()
    const cause = new Error('amqp://u:hunter2@mq refused')

    log.error(Object.assign(new Error('No broker', { cause }), { token: 'hunter2', code: 'broker-refused' }))
    expect(last()).not.toContain('hunter2')
    expect(JSON.parse(last())).toMatchObject({ err: { type: 'Error', code: 'broker-refused', token: '***' } })

    log.error({ err: cause, other: cause }, 'x')
    expect(last()).not.toContain('hunter2')
    expect(JSON.parse(last())).toMatchObject({
      err: { message: 'amqp://***@mq refused' },
      other: { message: 'amqp://***@mq refused' },
    })
  })

  it('survives what is deep, circular or binary', () => {
    const { log, last } = createTestLogger()
    const circular: Record<string, unknown> = {}
    circular['self'] = circular

    log.info({ circular, bytes: new Uint8Array(3), at: new Date(0) }, 'x')

    expect(JSON.parse(last())).toMatchObject({ bytes: '3 bytes', at: '1970-01-01T00:00:00.000Z' })
  })

  it('keeps every line valid JSON when it replaces', () => {
    const { log, last } = createTestLogger()

    log.info({ said: 'password="hunter2" {"token":"x"} secret=a\\b\n' }, 'password=hunter2')

    expect(JSON.parse(last())).toMatchObject({ msg: 'password=***' })
  })

  it('names the span in which a line is written, and nothing outside of any', () => {
    const lines: string[] = []
    const tracer = new Tracer()
    const destination = { write: (line: string) => lines.push(line) }
    const log = createLogger({ name: 'test', level: 'info', destination, currentSpan: () => tracer.current() })
    const span = tracer.start('x')

    log.info({ n: 1 }, 'outside')
    tracer.within(span, () => log.child({ organizationId: 'o' }).info({ n: 2 }, 'inside'))

    const [outside, inside] = lines.map((line) => JSON.parse(line))
    expect(outside).not.toHaveProperty('traceId')
    expect(inside).toMatchObject({ traceId: span.context.traceId, spanId: span.context.spanId, n: 2, organizationId: 'o' })
  })

  it('says nothing below its level', () => {
    const { log, count } = createTestLogger('warn')

    log.info('x')

    expect(count()).toBe(0)
  })
})
