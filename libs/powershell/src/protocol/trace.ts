/** One PSRP message as it passed, for people to read: what is secret in it is masked. */
export type TraceEntry = {
  readonly direction: 'sent' | 'received'
  /** The name of its MessageType, such as `CREATE_PIPELINE`. */
  readonly messageType: string
  readonly runspacePoolId: string
  readonly pipelineId: string | undefined
  readonly xml: string
}

export type Trace = (entry: TraceEntry) => void
