import { setTimeout as delay } from 'node:timers/promises'
import { WORKER_NAMES } from '@gatehouse/cli/system'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ComposeProject } from './compose-project.ts'
import { describeWithEngine } from './needs-engine.ts'

const POLL_MS = 1_000

type Target = { health: string; lastError: string; labels: Record<string, string> }

describeWithEngine('the profile observability', { timeout: 300_000 }, () => {
  let project: ComposeProject

  beforeAll(async () => {
    project = await ComposeProject.create({ devices: 60, latencyMs: 5 })
    await project.upWithoutDemo('--scale', 'enforcement=2')
    await project.up('--no-recreate', '--no-deps', 'prometheus')
  }, 600_000)
  afterAll(() => project?.[Symbol.asyncDispose](), 200_000)

  const ask = async (path: string): Promise<unknown> => {
    const published = (await project.must(['port', 'prometheus', '9090'])).trim()
    const answer = await fetch(`http://${published}/api/v1/${path}`)
    return ((await answer.json()) as { data: unknown }).data
  }

  it('scrapes every copy of every worker once, and the broker', async ({ signal }) => {
    const expected = [...WORKER_NAMES, 'enforcement', 'rabbitmq', 'rabbitmq-queues'].sort()
    let active: Target[] = []
    const names = (): string[] => active.map(({ labels }) => labels['worker'] ?? labels['job'] ?? '').sort()
    while (active.length < expected.length || active.some(({ health }) => health === 'unknown')) {
      active = ((await ask('targets?state=active')) as { activeTargets: Target[] }).activeTargets
      await delay(POLL_MS, undefined, { signal })
    }

    expect(names()).toEqual(expected)
    expect(active.filter(({ health }) => health !== 'up').map(({ lastError }) => lastError)).toEqual([])
  })

  it('loads the alert rules, none of which fires for a system that is well', async () => {
    const { groups } = (await ask('rules?type=alert')) as {
      groups: { rules: { name: string; state: string; health: string }[] }[]
    }
    const rules = groups.flatMap((group) => group.rules)

    expect(rules.length).toBeGreaterThan(10)
    expect(rules.filter(({ state }) => state === 'firing').map(({ name }) => name)).toEqual([])
  })
})
