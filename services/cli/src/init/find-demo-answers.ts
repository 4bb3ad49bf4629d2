import type { Answers, DemoAnswers, GivenSecret } from './installation.ts'

export type DemoOptions = {
  readonly devices: number
  readonly latencyMs: number
  readonly seed: number
  readonly runspaces: number
}

export type DemoInstallation = {
  readonly answers: Answers
  readonly demo: DemoAnswers
  readonly secrets: Record<GivenSecret, string>
  /** PEM: of the host on which the compose project serves the simulators. */
  readonly createCertificate: () => Promise<{ key: string; certificate: string }>
}

/** The compose project's service, and its ports there. */
const HOST = 'simulators'
const EXCHANGE = `https://${HOST}:8443`
const MICROSOFT = `https://${HOST}:8444`

/** What the simulators of this population answer to; they are part of a checkout and of the demo's image only. */
export async function findDemoAnswers(options: DemoOptions): Promise<DemoInstallation> {
  const { createServerCertificate, serveSimulators } = await import('@gatehouse/simulators')
  const served = await serveSimulators({ what: 'all', port: 0, devices: options.devices, seed: options.seed, latencyMs: 0 })
  await served.stop()
  const { ready } = served
  return {
    answers: {
      tenantId: ready.tenantId ?? '',
      clientId: ready.clientId ?? '',
      organization: 'contoso',
      exchangeUrl: `${EXCHANGE}/PowerShell/`,
      exchangeUser: ready.user ?? '',
      ewsUrl: `${EXCHANGE}/EWS/Exchange.asmx`,
      mailUser: ready.user ?? '',
      includedGroups: ready.policy.includedGroups.join(','),
    },
    demo: {
      authority: MICROSOFT,
      endpoint: MICROSOFT,
      excludedGroups: ready.policy.excludedGroups,
      runspaces: options.runspaces,
      caFile: '/etc/gatehouse/certificates/simulators.pem',
    },
    secrets: {
      'graph-client-secret': ready.clientSecret ?? '',
      'exchange-password': ready.password ?? '',
      'mail-password': ready.password ?? '',
    },
    createCertificate: () => createServerCertificate(HOST),
  }
}
