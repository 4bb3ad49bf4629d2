import { describe, expect, test } from 'vitest'
import { findProxyProblem } from './find-proxy-problem.ts'

describe('the settings of a proxy', () => {
  test.each([
    { url: 'http://proxy:3128' },
    { url: 'https://proxy.contoso.com/' },
    { url: 'http://[::1]:3128', user: 'CONTOSO\\gate' },
  ])('are right when they are %j', (proxy) => {
    expect(findProxyProblem(proxy)).toBeUndefined()
  })

  test.each([
    [{ url: 'nonsense' }, 'must be an http or https URL'],
    [{ url: 'socks5://proxy:1080' }, 'must be an http or https URL'],
    [{ url: 'http://gate:secret@proxy:3128' }, 'do not belong into its URL'],
    [{ url: 'http://gate@proxy:3128' }, 'do not belong into its URL'],
    [{ url: 'http://proxy:3128', user: 'a:b' }, 'holds a colon'],
    [{ url: 'http://proxy:3128', user: '' }, 'is empty'],
  ])('are wrong when they are %j: %s', (proxy, problem) => {
    expect(findProxyProblem(proxy)).toContain(problem)
    expect(findProxyProblem(proxy)).not.toContain('secret')
  })
})
