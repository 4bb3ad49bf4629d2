import { serveSimulators } from '../../../test/simulators/src/serve.ts'

const { ready } = await serveSimulators({
  what: 'exchange',
  port: 0,
  devices: Number(process.argv[2]),
  latencyMs: Number(process.argv[3]),
  seed: 7,
})
console.log(JSON.stringify(ready))
