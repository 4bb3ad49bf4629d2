/**
 * The distinguished name of the mailbox that owns a device: its own without the first two parts (the device, and the
 * container ExchangeActiveSyncDevices). Escaped separators inside a part do not count. Undefined when there are too few parts.
 */
export function mailboxNameOf(deviceName: string): string | undefined {
  const device = indexOfSeparator(deviceName, 0)
  if (device === -1) return undefined
  const container = indexOfSeparator(deviceName, device + 1)
  if (container === -1) return undefined
  const mailbox = deviceName.slice(container + 1).trim()
  return mailbox === '' ? undefined : mailbox
}

/** What two distinguished names of one object have in common: directory names are compared without regard to case. */
export function distinguishedNameKey(name: string): string {
  return name.trim().toLowerCase()
}

/** RFC 4514 §2.4: a backslash escapes what follows it. A value in quotes (RFC 2253 §4, right after the `=`) may hold bare commas. */
function indexOfSeparator(name: string, from: number): number {
  let isQuoted = false
  for (let index = from; index < name.length; index++) {
    const sign = name[index]
    if (sign === '\\') index++
    else if (sign === '"') isQuoted = !isQuoted && name[index - 1] === '='
    else if (sign === ',' && !isQuoted) return index
  }
  return -1
}
