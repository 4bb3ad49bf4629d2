/** Tells whether this is a URL of the given protocol (`http:`) whose host is this machine by name or by loopback address. */
export function isLoopbackUrl(value: string, protocol: string): boolean {
  const url = URL.parse(value)
  if (url === null || url.protocol !== protocol) return false
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname)
}
