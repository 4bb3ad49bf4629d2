import { startLocalRabbitmq } from '../src/local-rabbitmq.ts'

/** Starts a node in the folder it is given, says its process id and stays until it is killed. */
const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('Usage: start-and-stay.ts <directory>')
const log = { info: () => {}, warn: () => {} }
const node = await startLocalRabbitmq({ directory, log, signal: new AbortController().signal })
process.stdout.write(`${node.pid}\n`)
setInterval(() => {}, 60_000)
