import { PermanentError } from '@gatehouse/messages'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Cuts a stream of bytes into lines of at most `lineBytesMax` bytes, whatever pieces it comes in. */
export class LineReader {
  private readonly lineBytesMax: number
  private pieces: Buffer[] = []
  private bytes = 0

  constructor(options: { readonly lineBytesMax: number }) {
    this.lineBytesMax = options.lineBytesMax
  }

  /**
   * Takes bytes and gives the lines that they complete, without their ends. A line may share memory with `chunk`. Throws
   * PermanentError('stdio-malformed') for a line that is too long, after which it must not be used again.
   */
  receive(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let from = 0
    for (;;) {
      const at = chunk.indexOf(LINE_FEED, from)
      const piece = chunk.subarray(from, at < 0 ? chunk.length : at)
      if (this.bytes + piece.length > this.lineBytesMax) throw tooLong(this.lineBytesMax)
      if (at < 0) {
        this.keep(piece)
        return lines
      }
      lines.push(this.complete(piece))
      from = at + 1
    }
  }

  private keep(piece: Buffer): void {
    if (piece.length === 0) return
    this.pieces.push(piece)
    this.bytes += piece.length
  }

  private complete(last: Buffer): Buffer {
    const line = this.pieces.length === 0 ? last : Buffer.concat([...this.pieces, last], this.bytes + last.length)
    this.pieces = []
    this.bytes = 0
    // PowerShell on Windows ends its lines so.
    return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line
  }
}

function tooLong(bytes: number): PermanentError {
  return new PermanentError('stdio-malformed', `The output of PowerShell cannot be read: a line longer than ${bytes} bytes`)
}
