import { loadSettings } from '@gatehouse/worker'
import { stringify } from 'yaml'
import type { Answers, DemoAnswers } from './installation.ts'

const SECRETS = '/run/secrets'
const HEADER = `# Settings of Gatehouse in its containers; docs/operations/settings.md explains every key. Secrets are files below ${SECRETS}, and
# docker-compose.yml says where broker and database are.
`
/** What docker-compose.yml says to every worker. */
const OF_COMPOSE = {
  GATEHOUSE_BROKER_URL: 'amqp://rabbitmq:5672/gatehouse',
  GATEHOUSE_DATABASE_URL_FILE: `${SECRETS}/database-url`,
}

/**
 * The text of a `gatehouse.yaml` for the compose project.
 * @throws PermanentError `settings-invalid` that lists every answer that cannot be right.
 */
export function createSettings(answers: Answers, demo: DemoAnswers | undefined): string {
  const caFile = demo === undefined ? {} : { caFile: demo.caFile }
  const settings = {
    graph: {
      tenantId: answers.tenantId,
      clientId: answers.clientId,
      clientSecretFile: `${SECRETS}/graph-client-secret`,
      ...(demo === undefined ? {} : { authority: demo.authority, endpoint: demo.endpoint, ...caFile }),
    },
    policy: { includedGroups: listOf(answers.includedGroups), excludedGroups: [...(demo?.excludedGroups ?? [])] },
    organizations: [
      {
        name: answers.organization,
        exchange: {
          url: answers.exchangeUrl,
          user: answers.exchangeUser,
          passwordFile: `${SECRETS}/exchange-password`,
          enableParallelCommandSupport: true,
          ...(demo === undefined ? {} : { ...shellsOf(demo), ...caFile }),
        },
        mail: {
          exchangeWebServiceURL: answers.ewsUrl,
          user: answers.mailUser,
          passwordFile: `${SECRETS}/mail-password`,
          ...(demo === undefined ? {} : { messagesPerMinute: 60_000, ...caFile }),
        },
        reportOnly: demo === undefined,
      },
    ],
    ...(demo === undefined ? {} : { schedule: { enabled: false } }),
    control: { tokenFile: `${SECRETS}/api-token` },
  }
  const text = HEADER + stringify(settings, { lineWidth: 0 })
  loadSettings({ text, env: OF_COMPOSE })
  return text
}

function shellsOf({ runspaces }: DemoAnswers) {
  return { runspacesMax: runspaces, shellsPerAccountMax: Math.min(18, runspaces + 4), idleTimeoutSeconds: 60 }
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
