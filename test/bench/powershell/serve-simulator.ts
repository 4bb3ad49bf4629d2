import { createPopulation, startExchangeSimulator } from '../../simulators/src/index.ts'

/*
 * The Exchange simulator, for the benches of the PowerShell engines.
 *
 * Usage: node serve-simulator.ts <latencyMs> <devices>
 */
const [latencyMs = 0, devices = 200] = process.argv.slice(2).map(Number)
const simulator = await startExchangeSimulator({ population: createPopulation({ devices, seed: 7 }), port: 0, latencyMs })
process.stdout.write(`${JSON.stringify({ url: simulator.url, user: simulator.user, password: simulator.password })}\n`)
process.stdin.resume()
process.stdin.on('end', () => void simulator.stop().then(() => process.exit(0)))
