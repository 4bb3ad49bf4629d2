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

/** One broker of the conformance suite, for `inject('brokers')`. */
export type BrokerTarget = {
  /** With its version, when it is there. */
  name: string
  /** Why this machine cannot have it. */
  unavailable: string | undefined
  amqpUrl: string
  managementUrl: string
  /** Undefined for a broker that is not ours: there, what breaks a node cannot be tried. */
  nodes: NodeSource | undefined
}

/** How to start nodes of one kind. */
export type NodeSource =
  /** A folder with `rabbitmq-server`; undefined: what this machine has. */
  { kind: 'programs'; folder: string | undefined } | { kind: 'image'; image: string; run: string }

declare module 'vitest' {
  interface ProvidedContext {
    parts: ProvidedParts
    brokers: BrokerTarget[]
  }
}
