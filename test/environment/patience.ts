/** How long a test asks for what tells nobody when it has happened: a process may start on a machine that does other work. */
export const PATIENCE = { timeout: 30_000, interval: 20 }
