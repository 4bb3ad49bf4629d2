import type { Dashboard } from './dashboard.ts'

const WORKER = 'worker=~"$worker", instance=~"$instance"'

/** One worker or several: messages, what holds it up, and its process. */
export const WORKER_DASHBOARD: Dashboard = {
  uid: 'gatehouse-worker',
  title: 'Gatehouse: workers',
  description: 'What the copies of a worker do, what holds them up, and how their processes are.',
  variables: [
    { name: 'worker', metric: 'gatehouse_build_info', label: 'worker' },
    { name: 'instance', metric: 'gatehouse_build_info', label: 'instance', filter: 'worker=~"$worker"' },
  ],
  rows: [
    {
      title: 'Copies',
      height: 7,
      panels: [
        {
          kind: 'state-timeline',
          title: 'Reached by Prometheus',
          description: '1 while Prometheus reaches the copy.',
          queries: [{ expr: `up{job="gatehouse", ${WORKER}}`, legend: '{{worker}} {{instance}}' }],
          unit: 'none',
          goodValue: 1,
          width: 10,
        },
        {
          kind: 'state-timeline',
          title: 'Paused by a dependency',
          description: '1 while no messages are taken because the dependency does not answer.',
          queries: [
            {
              expr: `max by (worker, dependency) (gatehouse_dependency_paused{${WORKER}})`,
              legend: '{{worker}} {{dependency}}',
            },
          ],
          unit: 'none',
          goodValue: 0,
          width: 10,
        },
        {
          kind: 'table',
          title: 'Builds',
          description: 'Which version runs how often.',
          queries: [{ expr: `count by (worker, version) (gatehouse_build_info{${WORKER}})`, legend: '' }],
          unit: 'none',
          width: 4,
        },
      ],
    },
    {
      title: 'Messages',
      height: 8,
      panels: [
        {
          kind: 'timeseries',
          title: 'Handled',
          description: 'A second, by how they ended.',
          queries: [
            {
              expr: `sum by (worker, outcome) (rate(gatehouse_messages_handled_total{${WORKER}}[5m]))`,
              legend: '{{worker}} {{outcome}}',
            },
          ],
          unit: 'ops',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Time to handle one, 95 of 100',
          description: 'From delivery to settlement.',
          queries: [
            {
              expr: `histogram_quantile(0.95, sum by (worker, type, le) (rate(gatehouse_message_handling_seconds_bucket{${WORKER}}[5m])))`,
              legend: '{{worker}} {{type}}',
            },
          ],
          unit: 's',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'In hand, and how many may be',
          description: 'The limit goes down while a worker is throttled or slow.',
          queries: [
            { expr: `sum by (worker) (gatehouse_messages_running{${WORKER}})`, legend: '{{worker}} running' },
            { expr: `sum by (worker) (gatehouse_messages_waiting{${WORKER}})`, legend: '{{worker}} waiting' },
            { expr: `sum by (worker) (gatehouse_concurrency_limit{${WORKER}})`, legend: '{{worker}} limit' },
            { expr: `sum by (worker) (gatehouse_concurrency_ceiling{${WORKER}})`, legend: '{{worker}} ceiling' },
          ],
          unit: 'short',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Put off, by reason',
          description: 'What went into the delay ladder, a second.',
          queries: [
            {
              expr: `sum by (worker, reason) (rate(gatehouse_messages_delayed_total{${WORKER}}[5m])) > 0`,
              legend: '{{worker}} {{reason}}',
            },
          ],
          unit: 'ops',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Oldest message in hand',
          description: 'Since it was sent.',
          queries: [
            { expr: `max by (worker) (gatehouse_oldest_message_seconds{${WORKER}})`, legend: '{{worker}} since sent' },
            { expr: `max by (worker) (gatehouse_oldest_delivery_seconds{${WORKER}})`, legend: '{{worker}} since it came' },
          ],
          unit: 's',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Given up',
          description: 'Dead letters made within an hour, by code.',
          queries: [
            {
              expr: `sum by (worker, code) (increase(gatehouse_dead_letters_total{${WORKER}}[1h])) > 0`,
              legend: '{{worker}} {{code}}',
            },
          ],
          unit: 'short',
          width: 8,
        },
      ],
    },
    {
      title: 'Publishing',
      height: 7,
      panels: [
        {
          kind: 'timeseries',
          title: 'Published',
          description: 'And confirmed by RabbitMQ, a second.',
          queries: [
            {
              expr: `sum by (worker, type) (rate(gatehouse_messages_published_total{${WORKER}}[5m])) > 0`,
              legend: '{{worker}} {{type}}',
            },
          ],
          unit: 'ops',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Time to the confirm, 95 of 100',
          description: 'A slow disk of RabbitMQ shows here first.',
          queries: [
            {
              expr: `histogram_quantile(0.95, sum by (worker, le) (rate(gatehouse_publish_confirm_seconds_bucket{${WORKER}}[5m])))`,
              legend: '{{worker}}',
            },
          ],
          unit: 's',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Not through yet',
          description: 'Sent and not confirmed, waiting behind those, refused by a full queue.',
          queries: [
            { expr: `sum by (worker) (gatehouse_publications_unconfirmed{${WORKER}})`, legend: '{{worker}} unconfirmed' },
            { expr: `sum by (worker) (gatehouse_publications_waiting{${WORKER}})`, legend: '{{worker}} waiting' },
            { expr: `sum by (worker) (gatehouse_publications_refused{${WORKER}})`, legend: '{{worker}} refused' },
          ],
          unit: 'short',
          width: 8,
        },
      ],
    },
    {
      title: 'Process',
      height: 7,
      panels: [
        {
          kind: 'timeseries',
          title: 'Memory',
          description: 'A worker holds 100 to 150 MiB.',
          queries: [{ expr: `process_resident_memory_bytes{job="gatehouse", ${WORKER}}`, legend: '{{worker}} {{instance}}' }],
          unit: 'bytes',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Processor',
          description: '1 is one core.',
          queries: [
            { expr: `rate(process_cpu_seconds_total{job="gatehouse", ${WORKER}}[5m])`, legend: '{{worker}} {{instance}}' },
          ],
          unit: 'percentunit',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Uptime, and how late its event loop is',
          description: 'A saw is a worker that starts again and again.',
          queries: [
            {
              expr: `time() - process_start_time_seconds{job="gatehouse", ${WORKER}}`,
              legend: '{{worker}} {{instance}} uptime',
            },
            {
              expr: `nodejs_eventloop_lag_p99_seconds{job="gatehouse", ${WORKER}}`,
              legend: '{{worker}} {{instance}} event loop, 99 of 100',
            },
          ],
          unit: 's',
          width: 8,
        },
      ],
    },
  ],
}
