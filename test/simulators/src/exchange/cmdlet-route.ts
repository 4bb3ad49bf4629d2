import type { IncomingMessage, ServerResponse } from 'node:http'
import { decodeClixml, type PsData } from '@gatehouse/powershell/protocol'
import type { Faults } from './faults.ts'
import type { Ledger } from './ledger.ts'
import type { PipelineRunner } from './wsman/pipeline-runner.ts'

export type CmdletRouteOptions = { runner: PipelineRunner; ledger: Ledger; faults: Faults }

/**
 * Cmdlets for a PowerShell of one's own, whose functions forward each call here (test/powershell-host, SimulatedExchange):
 * `GET /__simulator/cmdlets` answers their names and parameters; `POST /__simulator/cmdlet` takes `{ name, parameters }`, the parameters
 * a hashtable as CLIXML text, and answers a CmdletOutcome, its output CLIXML texts. Latency, faults and counts are those of a cmdlet
 * that came through a shell. Whoever hangs up has stopped it. Never rejects.
 */
export async function handleCmdletRoute(
  o: CmdletRouteOptions,
  request: IncomingMessage,
  response: ServerResponse,
  { path, text }: { path: string; text: string | undefined },
): Promise<void> {
  const route = `${request.method} ${path}`
  o.ledger.addRequest('cmdlet')
  try {
    if (route === 'GET /__simulator/cmdlets') answer(response, 200, o.runner.cmdlets.map(describe))
    else if (route !== 'POST /__simulator/cmdlet') answer(response, 405, { error: `There is no ${route}` })
    else if (text === undefined) answer(response, 413, { error: 'The body is too large' })
    else await runCmdlet(o, request, response, text)
  } catch (error) {
    answer(response, 400, { error: error instanceof Error ? error.message : String(error) })
  }
}

async function runCmdlet(
  { runner, ledger, faults }: CmdletRouteOptions,
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
): Promise<void> {
  const received = readCall(text)
  const reset = faults.resetsConnection()
  if (reset !== undefined) ledger.addFault('connection-reset')
  if (reset === 'before') {
    request.socket.destroy()
    return
  }
  const stopper = new AbortController()
  response.once('close', () => stopper.abort())
  const result = await runner.runAlone(received, stopper.signal)
  if (result === 'lost' || reset === 'after') request.socket.destroy()
  else answer(response, 200, result)
}

function readCall(text: string) {
  const { name, parameters } = JSON.parse(text) as { name?: unknown; parameters?: unknown }
  if (typeof name !== 'string' || typeof parameters !== 'string') throw new Error('A call is { name, parameters }, both texts')
  const table: PsData = decodeClixml(parameters)
  if (!(table instanceof Map)) throw new Error('The parameters are no hashtable')
  return { name, isScript: false, parameters: [...table].map(([key, value]) => ({ name: String(key), value })) }
}

function describe({ name, parameters, mandatory }: PipelineRunner['cmdlets'][number]) {
  return {
    name,
    parameters: Object.entries(parameters).map(([each, kind]) => ({ name: each, kind })),
    mandatory: mandatory ?? [],
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed || response.writableEnded) return
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
