export { createGraph } from './create-graph.ts'
export type { DevicesDelta, DirectoryUser, Graph, GraphLog, GraphOptions, ManagedDevice, ManagedDevicesRead } from './graph.ts'
