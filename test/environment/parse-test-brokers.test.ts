import { describe, expect, it } from 'vitest'
import { parseTestBrokers } from './parse-test-brokers.ts'

describe('GATEHOUSE_TEST_BROKERS', () => {
  it('names brokers by their URL, by a folder with programs and by an image', () => {
    const text =
      'old=amqp://me:se%3Dcret@rabbit:5672;management=http://rabbit:8080, tls=amqps://rabbit, here=/opt/rabbitmq/sbin,new=docker:rabbitmq:4.3-management'

    expect(parseTestBrokers(text)).toEqual([
      { name: 'old', kind: 'url', amqpUrl: 'amqp://me:se%3Dcret@rabbit:5672', managementUrl: 'http://rabbit:8080' },
      { name: 'tls', kind: 'url', amqpUrl: 'amqps://rabbit', managementUrl: 'https://rabbit:15672' },
      { name: 'here', kind: 'programs', folder: '/opt/rabbitmq/sbin' },
      { name: 'new', kind: 'image', image: 'rabbitmq:4.3-management' },
    ])
  })

  it.each(['amqp://rabbit', 'old=http://rabbit', '=amqp://rabbit', 'old='])('refuses %s and shows the format', (text) => {
    expect(() => parseTestBrokers(text)).toThrow(/must be name=where.*not /)
  })
})
