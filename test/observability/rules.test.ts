import { runProgram } from '@gatehouse/broker/local'
import { describe, expect, it } from 'vitest'
import { ensurePrometheus } from '../environment/ensure-prometheus.ts'

const FOLDER = new URL('../../deploy/prometheus/', import.meta.url).pathname
const programs = await ensurePrometheus()

describe.skipIf(programs === undefined)('promtool', () => {
  it.for([
    ['finds nothing wrong with the configuration', ['check', 'config', `${FOLDER}prometheus.yml`]],
    ['finds nothing wrong with the rules', ['check', 'rules', '--lint-fatal', `${FOLDER}alerts.yml`]],
    ['sees every alert fire in one case and stay silent in another', ['test', 'rules', `${FOLDER}alerts.test.yml`]],
  ] as const)('%s', async ([, args], { signal }) => {
    const { code, output } = await runProgram(programs?.promtool ?? '', args, { signal, timeoutMs: 60_000 })

    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' })
  })
})
