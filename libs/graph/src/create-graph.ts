import type { Graph, GraphOptions } from './graph.ts'

export function createGraph(_o: GraphOptions): Graph {
  throw new Error('being written')
}
