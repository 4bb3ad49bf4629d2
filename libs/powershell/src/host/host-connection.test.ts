import { expect, test } from 'vitest'
import { encodeConnection } from './host-connection.ts'

test('a connection goes over as it is, with passwords that no parser of dates can change', () => {
  const credential = { user: 'dom\\svc', password: '2020-01-01T00:00:00Z' }

  const encoded = encodeConnection({
    uri: 'http://exchange.contoso.com/PowerShell/',
    authentication: 'Kerberos',
    credential,
    proxy: { accessType: 'IEConfig', authentication: 'Basic', credential },
  })

  const inBase64 = { user: 'ZG9tXHN2Yw==', password: 'MjAyMC0wMS0wMVQwMDowMDowMFo=' }
  expect(encoded).toEqual({
    uri: 'http://exchange.contoso.com/PowerShell/',
    shellUri: 'http://schemas.microsoft.com/powershell/Microsoft.Exchange',
    authentication: 'Kerberos',
    credential: inBase64,
    proxy: { accessType: 'IEConfig', authentication: 'Basic', credential: inBase64 },
  })
})
