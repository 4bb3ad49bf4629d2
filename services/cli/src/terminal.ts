/** Where a command speaks: its result goes to standard output, everything else to standard error. */
export type Terminal = {
  /** The result, whole. */
  print(text: string): void
  /** A line for whoever watches. */
  note(line: string): void
  /** A line that replaces the one before it, where the terminal can do that. */
  progress(line: string): void
}

export type Streams = { out: { write(text: string): unknown }; err: { write(text: string): unknown; isTTY?: boolean } }

const CLEAR_LINE = '\r\u001b[2K'

/** A terminal over two streams; texts from a phone are stripped of control characters before they reach it. */
export function createTerminal(streams: Streams, options: { quiet: boolean }): Terminal {
  let pending = false
  const clear = (): void => {
    if (pending) streams.err.write(CLEAR_LINE)
    pending = false
  }
  return {
    print: (text) => {
      clear()
      streams.out.write(`${text}\n`)
    },
    note: (line) => {
      if (options.quiet) return
      clear()
      streams.err.write(`${printable(line)}\n`)
    },
    progress: (line) => {
      if (options.quiet || streams.err.isTTY !== true) return
      streams.err.write(`${CLEAR_LINE}${printable(line)}`)
      pending = true
    },
  }
}

/** The text without control characters, so that a device name cannot move the cursor or repaint the screen. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}
