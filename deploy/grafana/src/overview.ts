import type { Dashboard } from './dashboard.ts'

const ORGANIZATION = 'organization=~"$organization"'

/** How each organisation is, for whoever asks "is everything well". */
export const OVERVIEW: Dashboard = {
  uid: 'gatehouse-overview',
  title: 'Gatehouse: overview',
  description: 'How each organisation is: connector, syncs, decisions, notices, devices.',
  variables: [{ name: 'organization', metric: 'gatehouse_connector_status', label: 'organization' }],
  rows: [
    {
      title: 'Now',
      height: 4,
      panels: [
        {
          kind: 'stat',
          title: 'Connectors not connected',
          description: 'Organisations whose Exchange was not read at the last attempt.',
          queries: [
            {
              expr: `count(max by (organization) (gatehouse_connector_status{status="connected", ${ORGANIZATION}}) == 0) or vector(0)`,
              legend: '',
            },
          ],
          unit: 'short',
          width: 4,
          thresholds: { amber: 1, red: 1 },
        },
        {
          kind: 'stat',
          title: 'Since a sync succeeded',
          description: 'Quick or full, of the organisation that has waited longest.',
          queries: [{ expr: `max(gatehouse_sync_age_seconds{sync_type="deltaSync", ${ORGANIZATION}})`, legend: '' }],
          unit: 's',
          width: 4,
          thresholds: { amber: 1_800, red: 7_200 },
        },
        {
          kind: 'stat',
          title: 'Oldest decision not carried out',
          description: 'Hours are normal while a first sync writes, or while the brake holds a run.',
          queries: [{ expr: `max(gatehouse_oldest_decision_seconds{${ORGANIZATION}})`, legend: '' }],
          unit: 's',
          width: 4,
          thresholds: { amber: 1_800, red: 7_200 },
        },
        {
          kind: 'stat',
          title: 'Runs held by the brake',
          description: 'Each waits until somebody confirms it.',
          queries: [{ expr: `sum(max by (organization) (gatehouse_sync_runs_held{${ORGANIZATION}}))`, legend: '' }],
          unit: 'short',
          width: 4,
          thresholds: { amber: 1, red: 5 },
        },
        {
          kind: 'stat',
          title: 'Dead letters',
          description: 'Messages that wait for somebody to decide about them.',
          queries: [{ expr: 'sum(max by (queue) (gatehouse_queue_messages_ready{queue=~".+[.]dead"}))', legend: '' }],
          unit: 'short',
          width: 4,
          thresholds: { amber: 1, red: 1_000 },
        },
        {
          kind: 'stat',
          title: 'In report-only mode',
          description: 'Organisations in which nothing is written and nobody is mailed.',
          queries: [{ expr: `sum(max by (organization) (gatehouse_report_only{${ORGANIZATION}}))`, legend: '' }],
          unit: 'short',
          width: 4,
        },
      ],
    },
    {
      title: 'Syncs',
      height: 8,
      panels: [
        {
          kind: 'state-timeline',
          title: 'Connector is connected',
          description: '1 while the connector is connected.',
          queries: [
            {
              expr: `max by (organization) (gatehouse_connector_status{status="connected", ${ORGANIZATION}})`,
              legend: '{{organization}}',
            },
          ],
          unit: 'none',
          goodValue: 1,
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Since a sync succeeded',
          description: 'A saw: it falls with every sync. A line that only rises is a sync that fails.',
          queries: [
            {
              expr: `max by (organization, sync_type) (gatehouse_sync_age_seconds{${ORGANIZATION}})`,
              legend: '{{organization}} {{sync_type}}',
            },
          ],
          unit: 's',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'How long the newest run takes',
          description: 'Until its end, or until now.',
          queries: [
            {
              expr: `max by (organization, sync_type) (gatehouse_sync_last_run_seconds{${ORGANIZATION}})`,
              legend: '{{organization}} {{sync_type}}',
            },
          ],
          unit: 's',
          width: 12,
        },
        {
          kind: 'table',
          title: 'Newest runs',
          description: 'The status of the newest run of each type.',
          queries: [
            {
              expr: `max by (organization, sync_type, status) (gatehouse_sync_last_run_status{${ORGANIZATION}}) == 1`,
              legend: '',
            },
          ],
          unit: 'none',
          width: 12,
        },
      ],
    },
    {
      title: 'Devices and what is done to them',
      height: 8,
      panels: [
        {
          kind: 'timeseries',
          title: 'Devices by access state',
          description: 'As Exchange last said.',
          queries: [
            {
              expr: `sum by (access_state) (max by (organization, access_state) (gatehouse_devices{${ORGANIZATION}}))`,
              legend: '{{access_state}}',
            },
          ],
          unit: 'short',
          width: 8,
          isStacked: true,
        },
        {
          kind: 'timeseries',
          title: 'Decisions waiting',
          description: 'Mailboxes whose decision is neither carried out nor given up.',
          queries: [
            { expr: `max by (organization) (gatehouse_decisions_waiting{${ORGANIZATION}})`, legend: '{{organization}}' },
          ],
          unit: 'short',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Writes to Exchange',
          description: 'Mailboxes changed, and mailboxes given up, a second.',
          queries: [
            {
              expr: `sum by (organization, outcome) (rate(gatehouse_access_writes_total{${ORGANIZATION}}[5m]))`,
              legend: '{{organization}} {{outcome}}',
            },
          ],
          unit: 'ops',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Verified, and changed by somebody else',
          description: 'A drift is a change that a later read of Exchange did not show.',
          queries: [
            {
              expr: `sum by (organization) (increase(gatehouse_access_writes_verified_total{${ORGANIZATION}}[1h]))`,
              legend: '{{organization}} verified',
            },
            {
              expr: `sum by (organization) (increase(gatehouse_access_drifts_total{${ORGANIZATION}}[1h]))`,
              legend: '{{organization}} drift',
            },
          ],
          unit: 'short',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Notices',
          description: 'Attempts to send a notice, by how they ended, a second.',
          queries: [
            {
              expr: `sum by (organization, outcome) (rate(gatehouse_notice_sends_total{${ORGANIZATION}}[5m]))`,
              legend: '{{organization}} {{outcome}}',
            },
          ],
          unit: 'ops',
          width: 8,
        },
        {
          kind: 'timeseries',
          title: 'Oldest notice that waits',
          description: 'A block goes ahead without its notice after noticeWaitSecondsMax.',
          queries: [
            { expr: `max by (organization) (gatehouse_oldest_notice_seconds{${ORGANIZATION}})`, legend: '{{organization}}' },
          ],
          unit: 's',
          width: 8,
        },
      ],
    },
    {
      title: 'Microsoft Graph',
      height: 7,
      panels: [
        {
          kind: 'timeseries',
          title: 'Requests',
          description: 'To Graph, those it throttled, and those for a token.',
          queries: [
            { expr: 'sum(rate(gatehouse_graph_requests_total[5m]))', legend: 'requests' },
            { expr: 'sum(rate(gatehouse_graph_throttled_total[5m]))', legend: 'throttled' },
            { expr: 'sum(rate(gatehouse_graph_token_requests_total[5m]))', legend: 'tokens' },
          ],
          unit: 'reqps',
          width: 10,
        },
        {
          kind: 'timeseries',
          title: 'Refreshes that failed',
          description: 'By the code of the error.',
          queries: [{ expr: 'sum by (code) (increase(gatehouse_graph_failures_total[15m])) > 0', legend: '{{code}}' }],
          unit: 'short',
          width: 10,
        },
        {
          kind: 'stat',
          title: 'Client secret expires in',
          description: 'As graph.clientSecretExpires says; empty without that setting.',
          queries: [{ expr: 'min(gatehouse_graph_client_secret_expires_seconds)', legend: '' }],
          unit: 's',
          width: 4,
        },
      ],
    },
  ],
}
