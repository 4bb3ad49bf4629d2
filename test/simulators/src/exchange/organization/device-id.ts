/** Device ids are compared trimmed and without case; they are kept as they were written. */
export function deviceIdKey(deviceId: string): string {
  return deviceId.trim().toLowerCase()
}

export function holdsDeviceId(list: readonly string[], deviceId: string): boolean {
  const key = deviceIdKey(deviceId)
  return list.some((entry) => deviceIdKey(entry) === key)
}
