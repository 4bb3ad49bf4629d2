/** Writes a GUID as .NET stores it: the first three groups little-endian. `text` is 8-4-4-4-12 hexadecimal digits. */
export function writeGuid(target: Buffer, offset: number, text: string): void {
  target.writeUInt32LE(Number.parseInt(text.slice(0, 8), 16), offset)
  target.writeUInt16LE(Number.parseInt(text.slice(9, 13), 16), offset + 4)
  target.writeUInt16LE(Number.parseInt(text.slice(14, 18), 16), offset + 6)
  target.write(text.slice(19, 23) + text.slice(24), offset + 8, 8, 'hex')
}

/** The reverse of `writeGuid`, lower case. */
export function readGuid(source: Buffer, offset: number): string {
  const hex = source.toString('hex', offset, offset + 16)
  const first = hex.slice(6, 8) + hex.slice(4, 6) + hex.slice(2, 4) + hex.slice(0, 2)
  const second = hex.slice(10, 12) + hex.slice(8, 10)
  const third = hex.slice(14, 16) + hex.slice(12, 14)
  return `${first}-${second}-${third}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
