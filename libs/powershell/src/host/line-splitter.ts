/** Cuts text into lines, whatever pieces it comes in. */
export class LineSplitter {
  private readonly lineCharsMax: number
  private parts: string[] = []
  private partChars = 0

  constructor(lineCharsMax: number) {
    this.lineCharsMax = lineCharsMax
  }

  /** Hands every line that `text` completes to `onLine`. False: a line is longer than allowed, and nothing more can be read. */
  split(text: string, onLine: (line: string) => void): boolean {
    let from = 0
    for (;;) {
      const at = text.indexOf('\n', from)
      const part = text.slice(from, at < 0 ? text.length : at)
      if (this.partChars + part.length > this.lineCharsMax) return false
      if (at < 0) {
        if (part !== '') this.parts.push(part)
        this.partChars += part.length
        return true
      }
      const line = this.parts.length === 0 ? part : this.parts.join('') + part
      this.parts = []
      this.partChars = 0
      onLine(line.endsWith('\r') ? line.slice(0, -1) : line)
      from = at + 1
    }
  }
}
