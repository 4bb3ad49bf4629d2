import { PermanentError } from '@gatehouse/messages'

export function settingsRefused(why: string): PermanentError {
  return new PermanentError('wsman-settings-refused', `Remoting settings cannot be used: ${why}`)
}
