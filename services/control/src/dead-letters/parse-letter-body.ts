/** The JSON object that a letter's content is, if it is one: it may be anything. */
export function parseLetterBody(content: Buffer): Record<string, unknown> | undefined {
  try {
    const body: unknown = JSON.parse(content.toString())
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
    return isObject ? (body as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
