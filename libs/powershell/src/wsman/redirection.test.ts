import { PermanentError } from '@gatehouse/messages'
import { describe, expect, test } from 'vitest'
import { readEndpointUrl } from './endpoint-url.ts'
import { followRedirection } from './redirection.ts'

const first = readEndpointUrl('https://ex1.contoso.com/PowerShell/')

describe('a redirection', () => {
  test('leads to another endpoint, asked for like any other', () => {
    expect(followRedirection('https://ex2.contoso.com/PowerShell/?PSVersion=3.0', [first]).href).toBe(
      'https://ex2.contoso.com/PowerShell/?PSVersion=5.1.17763.1',
    )
  })

  test('may leave plain http on loopback', () => {
    const loopback = readEndpointUrl('http://127.0.0.1:8080/PowerShell/')

    expect(followRedirection('https://ex2/PowerShell/', [loopback]).protocol).toBe('https:')
    expect(followRedirection('http://localhost/PowerShell/', [loopback]).hostname).toBe('localhost')
  })

  test.each([
    ['to nowhere', undefined],
    ['to what is no URL', 'https://'],
    ['to plain http', 'http://ex2.contoso.com/PowerShell/'],
    ['from https to http, on loopback too', 'http://127.0.0.1/PowerShell/'],
    ['with credentials', 'https://svc:secret@ex2/PowerShell/'],
    ['to another protocol', 'ftp://ex2/PowerShell/'],
    ['to itself', 'https://EX1.contoso.com/PowerShell/#again'],
  ])('%s is refused', (_what, location) => {
    const follow = () => followRedirection(location, [first])

    expect(follow).toThrow(PermanentError)
    expect(follow).toThrow(expect.objectContaining({ code: 'wsman-redirected', detail: expect.objectContaining({ hops: 1 }) }))
    expect(follow).toThrow(/https:\/\/ex1\.contoso\.com/)
  })

  test('is followed five times, and a sixth is refused with every hop named', () => {
    const visited = [first]
    for (let hop = 2; hop <= 6; hop++) visited.push(followRedirection(`https://ex${hop}/PowerShell/`, visited))

    expect(() => followRedirection('https://ex7/PowerShell/', visited)).toThrow(/ex1.*→.*ex2.*→.*ex6.*→.*ex7/)
    expect(visited).toHaveLength(6)
  })
})
