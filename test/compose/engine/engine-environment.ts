/** How the tests reach an engine, for `inject('engine')`: the variables that the docker client reads, or why there is none. */
export type EngineEnvironment = { env: Record<string, string>; unavailable: undefined } | { unavailable: string }

declare module 'vitest' {
  interface ProvidedContext {
    engine: EngineEnvironment
  }
}
