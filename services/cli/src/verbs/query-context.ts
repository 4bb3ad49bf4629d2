import type { ControlClient } from '../control-client.ts'
import type { Terminal } from '../terminal.ts'

/** What a verb works with that asks control. */
export type QueryContext = { control: ControlClient; terminal: Terminal; json: boolean; signal: AbortSignal }
