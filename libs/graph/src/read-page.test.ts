import { expect, it } from 'vitest'
import { pathOfLink, readPage } from './read-page.ts'

const endpoint = new URL('https://graph.microsoft.com')

it('keeps the characters of a link as Graph wrote them', () => {
  const path = "/v1.0/x('a')?$skiptoken=%C2%BB%c2+b%2F==&$select=a,b"

  expect(pathOfLink(`https://graph.microsoft.com${path}`, endpoint)).toBe(path)
  expect(pathOfLink(`HTTPS://Graph.Microsoft.com:443${path}`, endpoint)).toBe(path)
})

it.each([
  'https://graph.microsoft.com.example.com/v1.0/x',
  'https://example.com/v1.0/x',
  'http://graph.microsoft.com/v1.0/x',
  'https://graph.microsoft.com:444/v1.0/x',
  'https://graph.microsoft.com@example.com/v1.0/x',
  'https://u:p@graph.microsoft.com/v1.0/x',
  'https://graph.microsoft.com\\@example.com/v1.0/x',
  'https://graph.microsoft.com/v1.0/x\r\nhost: y',
  '/v1.0/x',
  'https://graph.microsoft.com',
  `https://graph.microsoft.com/${'x'.repeat(40_000)}`,
])('refuses the link %s', (link) => {
  expect(() => pathOfLink(link, endpoint)).toThrow(expect.objectContaining({ code: 'graph-foreign-link' }))
})

it.each([undefined, null, 'x', [], {}, { value: {} }, { value: [], '@odata.nextLink': 7 }])('refuses %j as a page', (body) => {
  expect(() => readPage(body, endpoint)).toThrow(expect.objectContaining({ code: 'graph-answer-unreadable' }))
})

it('refuses a page whose delta link leads elsewhere', () => {
  const body = { value: [], '@odata.deltaLink': 'https://example.com/v1.0/devices/delta' }

  expect(() => readPage(body, endpoint)).toThrow(expect.objectContaining({ code: 'graph-foreign-link' }))
})
