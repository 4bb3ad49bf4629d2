import { Gauge, type Registry } from 'prom-client'

/** @returns takes how many seconds our clock is ahead of PostgreSQL's. */
export function createClockMetrics(registry: Registry): (seconds: number) => void {
  const gauge = new Gauge({
    name: 'gatehouse_clock_skew_seconds',
    help: 'How far the clock of this worker is ahead of that of PostgreSQL',
    registers: [registry],
  })
  return (seconds) => gauge.set(seconds)
}
