import { type Panel, toGrafanaPanel } from './panel.ts'

/** A choice at the top of a dashboard: the values that `label` has in `metric`. */
export type Variable = { readonly name: string; readonly metric: string; readonly label: string; readonly filter?: string }

export type Dashboard = {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly variables: readonly Variable[]
  readonly rows: readonly { readonly title: string; readonly height: number; readonly panels: readonly Panel[] }[]
}

const WIDTH = 24
const DATASOURCE = { type: 'prometheus', uid: 'gatehouse-prometheus' }
/** Of dashboards as Grafana 12 writes them. */
const SCHEMA_VERSION = 41

/** A dashboard as Grafana 12 reads it. Identical input gives identical output. */
export function toGrafanaDashboard(dashboard: Dashboard): object {
  return {
    uid: dashboard.uid,
    title: dashboard.title,
    description: dashboard.description,
    tags: ['gatehouse'],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    annotations: { list: [] },
    links: [
      { type: 'dashboards', title: 'Gatehouse', tags: ['gatehouse'], asDropdown: true, includeVars: true, keepTime: true },
    ],
    templating: { list: dashboard.variables.map(toGrafanaVariable) },
    panels: layOut(dashboard),
  }
}

function toGrafanaVariable({ name, metric, label, filter = '' }: Variable): object {
  const query = `label_values(${metric}{${filter}}, ${label})`
  return {
    name,
    label: name,
    type: 'query',
    datasource: DATASOURCE,
    query: { query, refId: `variable-${name}` },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { selected: true, text: ['All'], value: ['$__all'] },
    options: [],
  }
}

/** Each row has a heading; its panels stand from left to right and go on in the next line when there is no more room. */
function layOut({ rows }: Dashboard): object[] {
  const panels: object[] = []
  let id = 1
  let y = 0
  for (const { title, height, panels: inRow } of rows) {
    panels.push({ id: id++, type: 'row', title, collapsed: false, gridPos: { x: 0, y: y++, w: WIDTH, h: 1 }, panels: [] })
    let x = 0
    for (const panel of inRow) {
      if (x + panel.width > WIDTH) {
        x = 0
        y += height
      }
      panels.push(toGrafanaPanel(panel, id++, { x, y, w: panel.width, h: height }))
      x += panel.width
    }
    y += height
  }
  return panels
}
