import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const DASHBOARDS = new URL('../../deploy/grafana/dashboards/', import.meta.url).pathname

type GrafanaDashboard = {
  title: string
  panels: { title: string; targets?: { expr: string }[] }[]
  templating: { list: { name: string; definition: string }[] }
}

/** The dashboards as Grafana reads them. */
function readDashboards(): GrafanaDashboard[] {
  return readdirSync(DASHBOARDS).map((name) => JSON.parse(readFileSync(join(DASHBOARDS, name), 'utf8')) as GrafanaDashboard)
}

/** Every query of every panel, by where it stands, with all values chosen for each variable. */
export function listPanelQueries(): { where: string; expr: string }[] {
  return readDashboards().flatMap(({ title, panels }) =>
    panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr }) => ({ where: `${title} / ${panel.title}`, expr: chooseAll(expr) })),
    ),
  )
}

/** What Grafana asks for the choices of each variable: the series, and the label whose values are the choices. */
export function listVariables(): { where: string; selector: string; label: string }[] {
  return readDashboards().flatMap(({ title, templating }) =>
    templating.list.map(({ name, definition }) => {
      const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? []
      return { where: `${title} / $${name}`, selector: chooseAll(selector), label }
    }),
  )
}

/** The parts of a query that name series: a metric, with its matchers if it has any. */
export function selectorsOf(expr: string): string[] {
  return expr.match(/\b(?:up|(?:gatehouse|rabbitmq|process|nodejs)_\w+)\b(?:\{[^}]*\})?/g) ?? []
}

function chooseAll(expr: string): string {
  return expr.replace(/\$\w+/g, '.*')
}
