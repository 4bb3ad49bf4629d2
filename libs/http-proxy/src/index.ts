export { connectThroughProxy } from './connect-through-proxy.ts'
export { findProxyProblem } from './find-proxy-problem.ts'
export type { ProxyOptions } from './open-tunnel.ts'
