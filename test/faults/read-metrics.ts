import type { System } from '@gatehouse/cli/system'

/** The metrics page of every worker that runs. */
export async function readMetrics({ workers }: System): Promise<string[]> {
  return await Promise.all(
    [...workers.running.values()].map(async ({ ready }) => await (await fetch(`${ready.healthUrl}/metrics`)).text()),
  )
}
