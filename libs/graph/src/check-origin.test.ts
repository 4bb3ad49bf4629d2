import { expect, it } from 'vitest'
import { checkOrigin } from './check-origin.ts'

it.each(['https://graph.microsoft.us', 'http://127.0.0.1:8080', 'http://localhost:1', 'http://[::1]:1/'])(
  'accepts %s',
  (text) => {
    expect(checkOrigin(text, 'graph.endpoint').origin).toBe(new URL(text).origin)
  },
)

it.each(['http://graph.microsoft.com', 'ftp://127.0.0.1', 'http://127.0.0.1.example.com'])('refuses %s as insecure', (text) => {
  expect(() => checkOrigin(text, 'graph.endpoint')).toThrow(expect.objectContaining({ code: 'graph-insecure' }))
})

it.each(['graph.microsoft.com', 'https://graph.microsoft.com/v1.0', 'https://a:b@graph.microsoft.com'])(
  'refuses %s',
  (text) => {
    expect(() => checkOrigin(text, 'graph.endpoint')).toThrow(expect.objectContaining({ code: 'graph-address-invalid' }))
  },
)
