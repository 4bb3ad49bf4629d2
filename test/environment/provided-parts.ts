/** Where the one RabbitMQ and the one PostgreSQL of this run are, for `inject('parts')`. */
export type ProvidedParts = {
  /** With user and password, without a virtual host. */
  amqpUrl: string
  managementUrl: string
  brokerUser: string
  brokerPassword: string
  /** Of a database to make others from. */
  databaseUrl: string
}

declare module 'vitest' {
  interface ProvidedContext {
    parts: ProvidedParts
  }
}
