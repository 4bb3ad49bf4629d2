type Say = (fields: Record<string, unknown>, message: string) => void

/** The part of a pino logger used here. */
export type EngineLog = { readonly debug: Say; readonly info: Say; readonly warn: Say; readonly error: Say }

/** Says nothing. */
export const quietLog: EngineLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
