import type { ConsumeMessage } from 'amqplib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DeliveringChannel } from './delivering-channel.ts'

const delivery = (deliveryTag: number) => ({ fields: { deliveryTag } }) as ConsumeMessage

/** What the broker still waits for, with the broker's own rule: naming a tag that it does not wait for closes the channel. */
function createBroker(deliveries: number) {
  const expected = new Set(Array.from({ length: deliveries }, (_, index) => index + 1))
  const acknowledged: number[] = []
  let frames = 0
  const take = (tag: number, into: number[]): void => {
    if (!expected.delete(tag)) throw new Error(`PRECONDITION_FAILED - unknown delivery tag ${tag}`)
    into.push(tag)
  }
  return {
    expected,
    acknowledged,
    frames: () => frames,
    ack: ({ fields }: { fields: { deliveryTag: number } }, isMultiple = false) => {
      frames += 1
      take(fields.deliveryTag, acknowledged)
      if (isMultiple) for (const tag of [...expected]) if (tag < fields.deliveryTag) take(tag, acknowledged)
    },
    nack: ({ fields }: { fields: { deliveryTag: number } }) => take(fields.deliveryTag, []),
  }
}

it('acknowledges exactly what it was told to, in whatever order and with whatever else is settled in between', () => {
  const step = fc.record({
    tag: fc.integer({ min: 1, max: 30 }),
    act: fc.constantFrom('ack', 'ack', 'ack', 'giveBack', 'flush'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const broker = createBroker(30)
      const channel = new DeliveringChannel(broker as never, () => {})
      const told = new Set<number>()
      const acked: number[] = []
      for (const { tag, act } of steps) {
        if (act === 'flush') channel.flush()
        else if (!told.has(tag)) {
          told.add(tag)
          if (act === 'ack') acked.push(tag)
          channel[act === 'ack' ? 'ack' : 'giveBack'](delivery(tag))
        }
      }
      channel.flush()

      expect(channel.isOpen).toBe(true)
      expect(broker.acknowledged.sort((a, b) => a - b)).toEqual(acked.sort((a, b) => a - b))
      expect(broker.expected.size).toBe(30 - told.size)
    }),
  )
})

it('sends one frame for all that were settled in one turn', () => {
  const broker = createBroker(100)
  const flushes: (() => void)[] = []
  const channel = new DeliveringChannel(broker as never, (flush) => flushes.push(flush))

  for (let tag = 100; tag >= 1; tag--) channel.ack(delivery(tag))
  for (const flush of flushes) flush()

  expect(broker.acknowledged).toHaveLength(100)
  expect([flushes.length, broker.frames()]).toEqual([1, 1])
})

it('settles nothing on a channel that was lost', () => {
  const broker = createBroker(2)
  const channel = new DeliveringChannel(broker as never, () => {})
  channel.ack(delivery(1))
  channel.isOpen = false
  channel.flush()

  expect(channel.ack(delivery(2))).toBe(false)
  expect(channel.giveBack(delivery(2))).toBe(false)
  expect(broker.acknowledged).toEqual([])
})
