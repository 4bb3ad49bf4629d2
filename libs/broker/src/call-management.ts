import { PermanentError, RetryableError } from '@gatehouse/messages'
import { request } from 'undici'

export type ManagementAccess = { readonly managementUrl: string; readonly user: string; readonly password: string }

const REQUEST_TIMEOUT_MS = 30_000

/**
 * One request to RabbitMQ's management HTTP API; resolves with the JSON of the answer, or undefined if it has none.
 * @throws PermanentError `broker-unauthorized`, `broker-forbidden`, `broker-not-found`, `broker-refused`;
 * RetryableError `management-unreachable`.
 */
export async function callManagement(
  access: ManagementAccess,
  call: { method: 'GET' | 'PUT' | 'POST' | 'DELETE'; path: string; body?: unknown },
  signal: AbortSignal,
): Promise<unknown> {
  const answer = await send(access, call, signal)
  const text = await answer.body.text()
  if (answer.statusCode < 300) return text === '' ? undefined : JSON.parse(text)
  const what = `${call.method} ${call.path}: ${answer.statusCode} ${text.slice(0, 500)}`
  if (answer.statusCode === 401)
    throw new PermanentError(
      'broker-unauthorized',
      `RabbitMQ does not know user ${access.user} with this password, or it lacks the administrator tag (${what})`,
    )
  if (answer.statusCode === 403)
    throw new PermanentError('broker-forbidden', `User ${access.user} needs the administrator tag in RabbitMQ (${what})`)
  if (answer.statusCode === 404) throw new PermanentError('broker-not-found', `RabbitMQ does not have it (${what})`)
  if (answer.statusCode >= 500) throw new RetryableError('management-unreachable', `RabbitMQ could not answer (${what})`)
  throw new PermanentError('broker-refused', `RabbitMQ refused (${what})`)
}

async function send(
  access: ManagementAccess,
  call: { method: 'GET' | 'PUT' | 'POST' | 'DELETE'; path: string; body?: unknown },
  signal: AbortSignal,
): ReturnType<typeof request> {
  const credentials = Buffer.from(`${access.user}:${access.password}`).toString('base64')
  try {
    return await request(access.managementUrl.replace(/\/$/, '') + call.path, {
      method: call.method,
      headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/json' },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      headersTimeout: REQUEST_TIMEOUT_MS,
      bodyTimeout: REQUEST_TIMEOUT_MS,
      // Calls are rare: no connection is kept for the next one.
      reset: true,
      signal,
    })
  } catch (cause) {
    if (signal.aborted) throw cause
    throw new RetryableError(
      'management-unreachable',
      `Cannot reach RabbitMQ's management API at ${access.managementUrl}: is the rabbitmq_management plugin enabled?`,
      { cause },
    )
  }
}
