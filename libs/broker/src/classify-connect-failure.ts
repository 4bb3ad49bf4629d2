import { PermanentError, RetryableError } from '@gatehouse/messages'

/**
 * What an administrator can do about a connection that was not made: PermanentError `broker-login-refused`, RetryableError
 * `topology-missing` for a virtual host that it is not let into, else RetryableError `broker-unreachable`.
 */
export function classifyConnectFailure(
  cause: unknown,
  { address, user }: { address: string; user: string },
): PermanentError | RetryableError {
  const text = cause instanceof Error ? cause.message : ''
  if (text.includes('ACCESS_REFUSED')) {
    const wayOut = 'gatehouse topology apply gives the workers’ users the passwords of broker.usersPasswordDirectory'
    return new PermanentError(
      'broker-login-refused',
      `RabbitMQ at ${address} refuses user ${user} with this password; ${wayOut}`,
    )
  }
  // amqplib 2.3.1 keeps the broker's reason to itself when it closes instead of opening the virtual host.
  if (text.startsWith('Expected ConnectionOpenOk; got <ConnectionClose')) {
    const reason = 'the virtual host is not there, or the user has no rights in it'
    const wayOut = 'run gatehouse topology apply, or correct broker.url'
    return new RetryableError('topology-missing', `User ${user} is not let into ${address}: ${reason}; ${wayOut}`)
  }
  return new RetryableError('broker-unreachable', `Cannot reach RabbitMQ at ${address}`, { cause })
}
