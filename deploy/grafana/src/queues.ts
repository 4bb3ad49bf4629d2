import type { Dashboard } from './dashboard.ts'

const INBOXES = 'queue=~"gh[.](control|discovery|compliance-lookup|enforcement|notification)([.]urgent)?([.]due)?"'

/** What waits in RabbitMQ, and what nobody could handle. */
export const QUEUES: Dashboard = {
  uid: 'gatehouse-queues',
  title: 'Gatehouse: queues and dead letters',
  description: 'What waits in the queues, in the delay ladder and among the dead letters, and how RabbitMQ is.',
  variables: [],
  rows: [
    {
      title: 'Queues',
      height: 8,
      panels: [
        {
          kind: 'timeseries',
          title: 'Messages that wait',
          description: 'Of each inbox and due queue. An inbox refuses more at 50,000; its publishers then wait.',
          queries: [{ expr: `max by (queue) (gatehouse_queue_messages_ready{${INBOXES}})`, legend: '{{queue}}' }],
          unit: 'short',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'In the delay ladder',
          description: 'Messages that wait for their time, and how fast they come, by level.',
          queries: [
            { expr: 'sum(max by (queue) (gatehouse_queue_messages_ready{queue=~"gh[.]retry[.]l.+"}))', legend: 'waiting' },
            { expr: 'sum(rate(gatehouse_ladder_messages_total[5m]))', legend: 'coming, a second' },
          ],
          unit: 'short',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Delivered and not acknowledged',
          description: 'As RabbitMQ says, and as the workers say.',
          queries: [
            { expr: `sum by (queue) (rabbitmq_detailed_queue_messages_unacked{${INBOXES}}) > 0`, legend: '{{queue}}' },
            { expr: 'sum by (worker) (gatehouse_messages_unacknowledged) > 0', legend: '{{worker}}' },
          ],
          unit: 'short',
          width: 12,
        },
        {
          kind: 'table',
          title: 'Consumers',
          description: 'A worker that is paused by a dependency has none.',
          queries: [{ expr: `max by (queue) (rabbitmq_detailed_queue_consumers{${INBOXES}})`, legend: '' }],
          unit: 'short',
          width: 12,
        },
      ],
    },
    {
      title: 'Dead letters',
      height: 8,
      panels: [
        {
          kind: 'timeseries',
          title: 'Dead letters',
          description: 'Each waits for somebody to decide about it.',
          queries: [
            {
              expr: 'max by (queue) (gatehouse_queue_messages_ready{queue=~"gh[.].+[.]dead|gh[.]unrouted"})',
              legend: '{{queue}}',
            },
          ],
          unit: 'short',
          width: 10,
        },
        {
          kind: 'timeseries',
          title: 'Made within an hour',
          description: 'By worker, type and code.',
          queries: [
            {
              expr: 'sum by (worker, type, code) (increase(gatehouse_dead_letters_total[1h])) > 0',
              legend: '{{worker}} {{type}} {{code}}',
            },
          ],
          unit: 'short',
          width: 10,
        },
        {
          kind: 'stat',
          title: 'Fullest queue with a limit',
          description: 'Of the messages at which it refuses more.',
          queries: [
            {
              expr: 'max(max by (queue) (gatehouse_queue_messages_ready) / max by (queue) (gatehouse_queue_messages_limit))',
              legend: '',
            },
          ],
          unit: 'percentunit',
          width: 4,
          thresholds: { amber: 0.5, red: 0.8 },
        },
      ],
    },
    {
      title: 'RabbitMQ',
      height: 7,
      panels: [
        {
          kind: 'state-timeline',
          title: 'Connection of the workers',
          description: '1 while a copy can use the broker.',
          queries: [{ expr: 'max by (worker) (gatehouse_broker_ready)', legend: '{{worker}}' }],
          unit: 'none',
          goodValue: 1,
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Blocked',
          description: 'Share of the time for which RabbitMQ took no publications: its memory or disk is short.',
          queries: [
            { expr: 'max by (worker) (rate(gatehouse_broker_blocked_seconds_total[5m]))', legend: '{{worker}}' },
            { expr: 'max(gatehouse_broker_blocked)', legend: 'now' },
          ],
          unit: 'percentunit',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Memory and disk',
          description: 'It blocks when memory is above its limit or the disk below.',
          queries: [
            { expr: 'rabbitmq_process_resident_memory_bytes', legend: 'memory' },
            { expr: 'rabbitmq_resident_memory_limit_bytes', legend: 'memory limit' },
            { expr: 'rabbitmq_disk_space_available_bytes', legend: 'disk free' },
          ],
          unit: 'bytes',
          width: 8,
        },
      ],
    },
  ],
}
