// MS-PSRP without I/O: bytes in, events out. The client half is used by the transports of this package, the server half by
// the simulator of the tests.
export { checkCommand } from './check-command.ts'
export { type ClientEvent, ClientPool, type PipelineState, type PoolState } from './client-pool.ts'
export { decodeClixml } from './clixml-decode.ts'
export { encodeClixml } from './clixml-encode.ts'
export { decodeClixmlString, encodeClixmlString, escapeXml } from './clixml-string.ts'
export type { Command, ErrorRecord, ReceivedCommand } from './command.ts'
export { type AssemblerLimits, cutIntoFragments, FRAGMENT_HEADER_BYTES, FragmentAssembler } from './fragments.ts'
export { isPsObject, type PsData, type PsObject } from './ps-data.ts'
export { PsGuid, type PsValue, type ScalarTag, ServerObject, ServerScalar, type ServerValue } from './ps-value.ts'
export { type PipelineEndState, type ServerEvent, ServerPool, type ServerPoolOptions } from './server-pool.ts'
export { XmlReader, type XmlToken } from './xml-reader.ts'
