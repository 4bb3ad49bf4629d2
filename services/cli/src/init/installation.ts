/** What only the administrator knows, in the order in which it is asked. */
export const QUESTIONS = [
  { key: 'tenantId', flag: '--tenant-id <id>', text: 'Entra tenant (id or domain name)' },
  { key: 'clientId', flag: '--client-id <guid>', text: 'Application id of the app registration' },
  { key: 'organization', flag: '--organization <name>', text: 'Name of the Exchange organisation' },
  { key: 'exchangeUrl', flag: '--exchange-url <url>', text: 'Exchange PowerShell (https://…/PowerShell/)' },
  { key: 'exchangeUser', flag: '--exchange-user <name>', text: 'Exchange account' },
  { key: 'ewsUrl', flag: '--ews-url <url>', text: 'Exchange Web Services (https://…/EWS/Exchange.asmx)' },
  { key: 'mailUser', flag: '--mail-user <name>', text: 'Account that sends the notices' },
  {
    key: 'includedGroups',
    flag: '--included-groups <ids>',
    text: 'Ids of the groups whose users the policy targets, separated by commas',
  },
] as const

/** Secrets that somebody else gave out. All others are made here. */
export const GIVEN_SECRETS = [
  { file: 'graph-client-secret', flag: '--client-secret-file <file>', text: 'Client secret of the app registration' },
  { file: 'exchange-password', flag: '--exchange-password-file <file>', text: 'Password of the Exchange account' },
  { file: 'mail-password', flag: '--mail-password-file <file>', text: 'Password of the account that sends the notices' },
] as const

export type QuestionKey = (typeof QUESTIONS)[number]['key']
export type GivenSecret = (typeof GIVEN_SECRETS)[number]['file']

export type Answers = Readonly<Record<QuestionKey, string>>

/** What a demo adds to the answers: where its simulators are, and no brake, schedule or report-only mode. */
export type DemoAnswers = {
  readonly authority: string
  readonly endpoint: string
  readonly excludedGroups: readonly string[]
  readonly runspaces: number
  /** As the containers see it. */
  readonly caFile: string
}
