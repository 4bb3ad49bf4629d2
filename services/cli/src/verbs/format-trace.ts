import type { HttpTrace, Trace } from '@gatehouse/powershell'

const ID_DIGITS = 8

/** Each PSRP message as one line for its head and its XML below, as an administrator can send it to us: secrets are masked already. */
export function noteMessage(note: (line: string) => void): Trace {
  return ({ direction, messageType, pipelineId, xml }) => {
    const arrow = direction === 'sent' ? '→' : '←'
    const pipeline = pipelineId === undefined ? 'pool' : `pipeline ${pipelineId.slice(0, ID_DIGITS)}`
    note(`${timeNow()} ${arrow} ${messageType} (${pipeline})\n${indent(xml)}`)
  }
}

/** Each request over HTTP and what became of it. */
export function noteHttp(note: (line: string) => void): HttpTrace {
  return ({ action, url, status, error, durationMs, requestId, requestBytes, responseCharacters }) => {
    const outcome = error ?? `${status}, ${responseCharacters ?? 0} characters`
    const id = requestId === undefined ? '' : `, RequestId ${requestId}`
    note(`${timeNow()} ⇄ ${action} ${url} (${requestBytes} bytes): ${outcome}, ${Math.round(durationMs)} ms${id}`)
  }
}

function timeNow(): string {
  return new Date().toISOString().slice(11, 23)
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ')
}
