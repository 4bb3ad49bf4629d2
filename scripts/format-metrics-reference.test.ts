import { expect, it } from 'vitest'
import { describeMetrics } from './format-metrics-reference.ts'

const METRICS = describeMetrics().flatMap(({ metrics }) => metrics)

it('every metric has a name that Prometheus would give it', () => {
  const wrong = METRICS.filter(
    ({ name, type }) =>
      !/^gatehouse_[a-z]+(_[a-z]+)*$/.test(name) ||
      name.endsWith('_total') !== (type === 'counter') ||
      /_(ms|milliseconds|minutes|hours|kb|mb|percent)(_|$)/.test(name),
  )

  expect(wrong).toEqual([])
})

it('no metric has a label that could have a value for each device, user, mailbox or message', () => {
  const known = ['access_state', 'code', 'dependency', 'fate', 'level', 'organization', 'outcome', 'queue', 'reason', 'status']
  const labels = new Set(METRICS.flatMap(({ labelNames }) => labelNames))

  expect([...labels].toSorted()).toEqual([...known, 'sync_type', 'type', 'version'].toSorted())
})

it('no two metrics have one name', () => {
  const names = METRICS.map(({ name }) => name)

  expect(names.length).toBe(new Set(names).size)
  expect(names.length).toBeGreaterThan(50)
})
