import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distinguishedNameKey, mailboxNameOf } from './distinguished-name.ts'

describe('the mailbox of a device', () => {
  it.each([
    [
      'CN=iPhone§ABC,CN=ExchangeActiveSyncDevices,CN=Ann Lee,OU=Users,DC=contoso,DC=com',
      'CN=Ann Lee,OU=Users,DC=contoso,DC=com',
    ],
    ['CN=a\\,b§ABC,CN=ExchangeActiveSyncDevices,CN=Lee\\, Ann,DC=contoso', 'CN=Lee\\, Ann,DC=contoso'],
    ['CN=a\\\\,CN=ExchangeActiveSyncDevices,CN=Ann,DC=contoso', 'CN=Ann,DC=contoso'],
    ['CN="a,b",CN=ExchangeActiveSyncDevices,CN=Ann,DC=contoso', 'CN=Ann,DC=contoso'],
    ['CN=6" tablet,CN=ExchangeActiveSyncDevices,CN=Ann,DC=contoso', 'CN=Ann,DC=contoso'],
  ])('of %s is %s', (device, mailbox) => {
    expect(mailboxNameOf(device)).toBe(mailbox)
  })

  it('is unknown when the name has too few parts', () => {
    for (const name of ['', 'CN=a', 'CN=a,CN=b', 'CN=a,CN=b,', 'CN=a\\,CN=b\\,CN=c'])
      expect(mailboxNameOf(name)).toBeUndefined()
  })

  it('is found whatever the device and the mailbox are called', () => {
    const escaped = (text: string) => text.replaceAll(/[\\,"+<>;=]/g, '\\$&')
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), (device, person) => {
        const mailbox = `CN=x${escaped(person)}x,OU=Users,DC=contoso`
        expect(mailboxNameOf(`CN=${escaped(device)},CN=ExchangeActiveSyncDevices,${mailbox}`)).toBe(mailbox)
      }),
    )
  })

  it('is compared without regard to case', () => {
    expect(distinguishedNameKey('cn=ann,DC=Contoso')).toBe(distinguishedNameKey('CN=Ann,dc=contoso '))
  })
})
