import type { Dashboard } from './dashboard.ts'

const POOL = 'organization=~"$organization", worker=~"$worker"'

/** The shells at Exchange: how many, how busy, and what Exchange says against more. */
export const RUNSPACE_POOL: Dashboard = {
  uid: 'gatehouse-runspace-pool',
  title: 'Gatehouse: runspace pool',
  description: 'The runspaces at Exchange of each organisation, and what holds them up.',
  variables: [
    { name: 'organization', metric: 'gatehouse_runspaces_limit', label: 'organization' },
    { name: 'worker', metric: 'gatehouse_runspaces_limit', label: 'worker' },
  ],
  rows: [
    {
      title: 'Runspaces',
      height: 8,
      panels: [
        {
          kind: 'timeseries',
          title: 'Busy, open, allowed',
          description: 'Allowed falls below the limit when Exchange, or the budget of the account, has refused a shell.',
          queries: [
            { expr: `sum by (worker) (gatehouse_runspaces_busy{${POOL}})`, legend: '{{worker}} busy' },
            { expr: `sum by (worker) (gatehouse_runspaces_open{${POOL}})`, legend: '{{worker}} open' },
            { expr: `sum by (worker) (gatehouse_runspaces_allowed{${POOL}})`, legend: '{{worker}} allowed' },
            { expr: `sum by (worker) (gatehouse_runspaces_limit{${POOL}})`, legend: '{{worker}} limit' },
          ],
          unit: 'short',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Cmdlets that wait for a runspace',
          description: 'Many during a sync are normal.',
          queries: [
            {
              expr: `sum by (organization, worker) (gatehouse_cmdlets_waiting{${POOL}})`,
              legend: '{{organization}} {{worker}}',
            },
          ],
          unit: 'short',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Leases of the account',
          description: 'Shells of all copies of all workers together. Exchange allows an account 18.',
          queries: [
            {
              expr: 'max by (organization) (gatehouse_runspace_leases{organization=~"$organization"})',
              legend: '{{organization}} in use',
            },
            {
              expr: 'max by (organization) (gatehouse_runspace_leases_limit{organization=~"$organization"})',
              legend: '{{organization}} limit',
            },
          ],
          unit: 'short',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Use of the runspaces that are allowed',
          description: '1: no more is to be had.',
          queries: [
            {
              expr: `sum by (organization, worker) (gatehouse_runspaces_busy{${POOL}}) / sum by (organization, worker) (gatehouse_runspaces_allowed{${POOL}})`,
              legend: '{{organization}} {{worker}}',
            },
          ],
          unit: 'percentunit',
          width: 12,
        },
      ],
    },
    {
      title: 'Cmdlets',
      height: 8,
      panels: [
        {
          kind: 'timeseries',
          title: 'Cmdlets',
          description: 'That came to their end, a second.',
          queries: [
            {
              expr: `sum by (organization, worker) (rate(gatehouse_cmdlets_total{${POOL}}[5m]))`,
              legend: '{{organization}} {{worker}}',
            },
          ],
          unit: 'ops',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Time of a write in Exchange',
          description: 'Set-CASMailbox, without waiting for a runspace: 50 and 95 of 100.',
          queries: [
            {
              expr: 'histogram_quantile(0.5, sum by (organization, le) (rate(gatehouse_access_write_seconds_bucket{organization=~"$organization"}[5m])))',
              legend: '{{organization}} 50',
            },
            {
              expr: 'histogram_quantile(0.95, sum by (organization, le) (rate(gatehouse_access_write_seconds_bucket{organization=~"$organization"}[5m])))',
              legend: '{{organization}} 95',
            },
          ],
          unit: 's',
          width: 12,
        },
      ],
    },
    {
      title: 'What goes wrong',
      height: 8,
      panels: [
        {
          kind: 'timeseries',
          title: 'Failures at Exchange',
          description: 'Within 15 minutes, by the code of the error; not those that are about one mailbox.',
          queries: [
            {
              expr: `sum by (organization, code) (increase(gatehouse_exchange_failures_total{${POOL}}[15m])) > 0`,
              legend: '{{organization}} {{code}}',
            },
          ],
          unit: 'short',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Shells lost, not opened, refused',
          description: 'Within 15 minutes. Refused: by a quota of Exchange or the budget of the account.',
          queries: [
            { expr: `sum by (worker) (increase(gatehouse_shells_lost_total{${POOL}}[15m]))`, legend: '{{worker}} lost' },
            {
              expr: `sum by (worker) (increase(gatehouse_shell_openings_failed_total{${POOL}}[15m]))`,
              legend: '{{worker}} not opened',
            },
            {
              expr: `sum by (worker) (increase(gatehouse_shell_openings_refused_total{${POOL}}[15m]))`,
              legend: '{{worker}} refused',
            },
            { expr: `sum by (worker) (increase(gatehouse_shells_opened_total{${POOL}}[15m]))`, legend: '{{worker}} opened' },
          ],
          unit: 'short',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Throttled by Exchange',
          description: 'Share of the time for which Exchange asked the pool to send nothing.',
          queries: [
            {
              expr: `sum by (organization, worker) (rate(gatehouse_exchange_throttled_seconds_total{${POOL}}[5m]))`,
              legend: '{{organization}} {{worker}}',
            },
          ],
          unit: 'percentunit',
          width: 12,
        },
        {
          kind: 'state-timeline',
          title: 'Another client access server is used',
          description: '1 while the server of the settings is out of use.',
          queries: [
            {
              expr: `max by (organization, worker) (gatehouse_exchange_failover_active{${POOL}})`,
              legend: '{{organization}} {{worker}}',
            },
          ],
          unit: 'none',
          goodValue: 0,
          width: 12,
        },
      ],
    },
  ],
}
