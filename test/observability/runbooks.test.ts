import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const ROOT = new URL('../../', import.meta.url).pathname
const RUNBOOKS = 'docs/operations/runbooks'
const read = (path: string): string => readFileSync(`${ROOT}${path}`, 'utf8')

const ALERTS = read('deploy/prometheus/alerts.yml')
  .split(/^ {6}- alert: /m)
  .slice(1)
  .map((text) => ({
    name: /^\w+/.exec(text)?.[0] ?? '',
    severity: /severity: (\w+)/.exec(text)?.[1] ?? '',
    page: /runbook_url: (\S+)/.exec(text)?.[1] ?? '',
    summary: /summary: \S/.test(text),
    description: /description: \S/.test(text),
  }))
const TESTS = read('deploy/prometheus/alerts.test.yml')
const INDEX = read(`${RUNBOOKS}/README.md`)
const PAGES = readdirSync(`${ROOT}${RUNBOOKS}`).filter((name) => name !== 'README.md')

describe('every alert', () => {
  it.each(ALERTS)('$name has a summary, a description, a severity and a page that names it', (alert) => {
    const text = read(alert.page)

    expect(alert).toMatchObject({ summary: true, description: true, severity: expect.stringMatching(/^(page|ticket)$/) })
    expect(text).toContain(`Alert \`${alert.name}\`, severity ${alert.severity}.`)
    for (const heading of ['How to look', 'What to do', 'When to escalate']) expect(text).toContain(`## ${heading}\n`)
    expect(INDEX).toContain(`(${alert.page.slice(RUNBOOKS.length + 1)}) | \`${alert.name}\` | ${alert.severity} |`)
  })

  it.each(ALERTS)('$name fires in a case of the tests', ({ name }) => {
    expect(TESTS).toMatch(new RegExp(`alertname: ${name}\\n\\s+exp_alerts:\\n`))
  })
})

it('every page has an alert, and no two alerts share one', () => {
  expect(ALERTS.map(({ page }) => page).toSorted()).toEqual(PAGES.map((name) => `${RUNBOOKS}/${name}`).toSorted())
})

it('every link of a page leads somewhere', () => {
  const links = ['README.md', ...PAGES].flatMap((name) =>
    [...read(`${RUNBOOKS}/${name}`).matchAll(/\]\(([^)#]+)\)/g)].map(
      ([, link = '']) => new URL(link, `file:///${RUNBOOKS}/`).pathname,
    ),
  )

  expect(links.length).toBeGreaterThan(PAGES.length)
  for (const link of links) expect(() => read(link.slice(1))).not.toThrow()
})
