import { describe, expect, test } from 'vitest'
import { SESSION_ID } from './packet.ts'
import { PacketChannel } from './packet-channel.ts'

const [A, B] = ['0f8fad5b-d9cb-469f-a165-70867728950e', '7c9e6679-7425-40de-944b-e07fc1f90ae7']
const malformed = expect.objectContaining({ name: 'PermanentError', code: 'stdio-malformed' })

function create() {
  const written: string[] = []
  const channel = new PacketChannel((line) => written.push(/^<(\w+)/.exec(line)?.[1] ?? line))
  return { written, channel }
}

describe('PacketChannel', () => {
  test('sends one packet of an id at a time, and others beside it', async () => {
    const { written, channel } = create()

    const first = channel.send('Command', A)
    const second = channel.send('Data', A, Buffer.from('x'))
    const other = channel.send('Signal', B)
    expect(written).toEqual(['Command', 'Signal'])

    channel.acknowledge('Command', A)
    await first
    expect(written).toEqual(['Command', 'Signal', 'Data'])
    channel.acknowledge('Data', A)
    channel.acknowledge('Signal', B)
    await Promise.all([second, other])
  })

  test('refuses acknowledgements that nothing waits for', () => {
    const { channel } = create()
    void channel.send('Command', A)
    void channel.send('Data', A, Buffer.from('x'))

    expect(() => channel.acknowledge('Data', A)).toThrow(malformed)
    expect(() => channel.acknowledge('Command', B)).toThrow(malformed)
    expect(() => channel.acknowledge('Close', SESSION_ID)).toThrow(malformed)
    channel.acknowledge('Command', A)
    expect(() => channel.acknowledge('Command', A)).toThrow(malformed)
  })

  test('is quiet when everything is acknowledged', async () => {
    const { channel } = create()
    await channel.quiet()
    const told: string[] = []
    void channel.send('Close', A)
    void channel.send('Close', B)
    const quiet = channel.quiet().then(() => told.push('quiet'))

    channel.acknowledge('Close', B)
    await Promise.resolve()
    expect(told).toEqual([])
    channel.acknowledge('Close', A)
    await quiet

    expect(told).toEqual(['quiet'])
  })

  test('fails what waits, what was not sent yet, and what comes later', async () => {
    const { written, channel } = create()
    const waiting = [channel.send('Command', A), channel.send('Data', A, Buffer.from('x'))]
    const quiet = channel.quiet()

    channel.fail(new Error('gone'))

    for (const one of [...waiting, channel.send('Close', A)]) await expect(one).rejects.toThrow('gone')
    await quiet
    expect(written).toEqual(['Command'])
  })

  test('lets only so many packets of one id wait', async () => {
    const { channel } = create()
    for (let n = 0; n < 64; n++) void channel.send('Data', A, Buffer.from('x'))

    await expect(channel.send('Data', A, Buffer.from('x'))).rejects.toMatchObject({ code: 'stdio-state' })
  })
})
