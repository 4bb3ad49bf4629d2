import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { Ask } from './init/find-answers.ts'

/** Asks at the terminal of this process; undefined where input does not come from one. Questions go to standard error. */
export function createAsk(process: NodeJS.Process, signal: AbortSignal): Ask | undefined {
  if (!process.stdin.isTTY) return undefined
  return async (question, { hidden }) => {
    let muted = false
    const output = new Writable({
      write: (chunk, _encoding, done) => {
        if (!muted) process.stderr.write(chunk)
        done()
      },
    })
    const terminal = createInterface({ input: process.stdin, output, terminal: true })
    try {
      const answer = terminal.question(question, { signal })
      muted = hidden
      return await answer
    } finally {
      terminal.close()
      if (hidden) process.stderr.write('\n')
    }
  }
}
