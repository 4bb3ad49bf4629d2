/** The data source of deploy/grafana/provisioning. */
const DATASOURCE = { type: 'prometheus', uid: 'gatehouse-prometheus' }

/** Grafana's names of units. */
type Unit = 'short' | 's' | 'bytes' | 'percentunit' | 'reqps' | 'ops' | 'none'

export type Query = { readonly expr: string; readonly legend: string }

/** What a panel shows; where it stands is the dashboard's business. */
export type Panel = {
  readonly kind: 'timeseries' | 'stat' | 'state-timeline' | 'table'
  readonly title: string
  /** What an administrator would ask: what is it, what is bad. */
  readonly description: string
  readonly queries: readonly Query[]
  readonly unit: Unit
  /** Of 24. */
  readonly width: number
  /** From which value on it is amber and red; without them nothing is coloured. */
  readonly thresholds?: { readonly amber: number; readonly red: number } | undefined
  readonly isStacked?: boolean
  /** For what is 0 or 1: which of them is well, and so green. */
  readonly goodValue?: 0 | 1
}

/** One panel as Grafana 12 reads it. */
export function toGrafanaPanel(panel: Panel, id: number, gridPos: { x: number; y: number; w: number; h: number }): object {
  return {
    id,
    type: panel.kind,
    title: panel.title,
    description: panel.description,
    datasource: DATASOURCE,
    gridPos,
    targets: panel.queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      ...(panel.kind === 'table' || panel.kind === 'stat' ? { instant: true, range: false } : { instant: false, range: true }),
      ...(panel.kind === 'table' && { format: 'table' }),
    })),
    fieldConfig: {
      defaults: { unit: panel.unit, min: 0, ...colours(panel), ...mappings(panel), custom: customOf(panel) },
      overrides: [],
    },
    options: optionsOf(panel),
    ...(panel.kind === 'table' && { transformations: [{ id: 'organize', options: { excludeByName: { Time: true } } }] }),
  }
}

function colours({ thresholds }: Panel): object {
  if (thresholds === undefined) return { color: { mode: 'palette-classic' } }
  const steps = [
    { color: 'green', value: null },
    { color: 'orange', value: thresholds.amber },
    { color: 'red', value: thresholds.red },
  ]
  return { color: { mode: 'thresholds' }, thresholds: { mode: 'absolute', steps } }
}

function mappings({ goodValue }: Panel): object {
  if (goodValue === undefined) return {}
  const colourOf = (value: 0 | 1): string => (value === goodValue ? 'green' : 'red')
  const options = { 0: { text: 'no', color: colourOf(0), index: 0 }, 1: { text: 'yes', color: colourOf(1), index: 1 } }
  return { mappings: [{ type: 'value', options }] }
}

function customOf({ kind, isStacked = false }: Panel): object {
  if (kind !== 'timeseries') return {}
  return {
    drawStyle: 'line',
    lineWidth: 1,
    fillOpacity: isStacked ? 30 : 10,
    showPoints: 'never',
    stacking: { mode: isStacked ? 'normal' : 'none', group: 'A' },
  }
}

function optionsOf({ kind }: Panel): object {
  switch (kind) {
    case 'timeseries':
      return {
        legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
        tooltip: { mode: 'multi', sort: 'desc' },
      }
    case 'stat':
      return { colorMode: 'value', graphMode: 'none', textMode: 'auto', reduceOptions: { calcs: ['lastNotNull'] } }
    case 'state-timeline':
      return { showValue: 'never', mergeValues: true, legend: { displayMode: 'list', placement: 'bottom', showLegend: true } }
    case 'table':
      return { showHeader: true, cellHeight: 'sm' }
    default:
      return kind satisfies never
  }
}
