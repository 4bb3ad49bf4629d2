import type { ColumnType, Generated, Insertable, Selectable } from 'kysely'
import type { BigInt8, Json, NullableTimestamp, Timestamp } from './column-types.ts'
import type { DeadLetterActionsTable, DiscardedLettersTable, ReplaysTable } from './dead-letter-tables.ts'

/**
 * The tables of Gatehouse as kysely sees them (design §5). Every table has exactly one writer, named above it.
 * Ids that come from Exchange (mailboxes, partnerships) are Exchange's own GUIDs.
 */
export type Database = {
  organizations: OrganizationsTable
  connectors: ConnectorsTable
  policies: PoliciesTable
  organization_policies: OrganizationPoliciesTable
  platform_exceptions: PlatformExceptionsTable
  message_templates: MessageTemplatesTable
  sync_runs: SyncRunsTable
  mailboxes: MailboxesTable
  device_partnerships: DevicePartnershipsTable
  exchange_servers: ExchangeServersTable
  device_classes: DeviceClassesTable
  managed_devices: ManagedDevicesTable
  directory_users: DirectoryUsersTable
  group_members: GroupMembersTable
  graph_cursors: GraphCursorsTable
  decisions: DecisionsTable
  mailbox_decisions: MailboxDecisionsTable
  access_changes: AccessChangesTable
  own_exemptions: OwnExemptionsTable
  mailbox_enforcements: MailboxEnforcementsTable
  runspace_leases: RunspaceLeasesTable
  notices: NoticesTable
  dead_letter_actions: DeadLetterActionsTable
  replays: ReplaysTable
  discarded_letters: DiscardedLettersTable
  processed_messages: ProcessedMessagesTable
  audit: AuditTable
  worker_states: WorkerStatesTable
}

export type ConnectorStatus = 'none' | 'connectionPending' | 'connected' | 'disconnected'
export type SyncType = 'fullSync' | 'deltaSync'
export type AccessLevel = 'allow' | 'block' | 'quarantine'
export type ProblemJson = { code: string; message: string }

/** Writer: control. `report_only` true: everything runs, nothing is written to Exchange and nobody is mailed. */
export type OrganizationsTable = { id: string; name: string; report_only: boolean; created_at: Timestamp }

/** Writer: control. The one active connector of an organisation. A worker that holds an older epoch must not write. */
export type ConnectorsTable = {
  organization_id: string
  epoch: number
  status: ConnectorStatus
  server_name: string | null
  connector_server_name: string | null
  exchange_version: string | null
  last_sync_at: NullableTimestamp
  last_full_sync_at: NullableTimestamp
  last_delta_sync_at: NullableTimestamp
  problem: ColumnType<ProblemJson | null, string | null | undefined, string | null>
  updated_at: Timestamp
}

/** Writer: control. Append-only; the highest version is in force. */
export type PoliciesTable = {
  version: number
  enabled: boolean
  included_groups: string[]
  excluded_groups: string[]
  override_default_rule: boolean
  /** What complianceState `unknown` and `configManager` count as. */
  unknown_compliance: 'compliant' | 'noncompliant'
  created_at: Timestamp
  created_by: string
}

/** Writer: control. What is set per Exchange organisation. */
export type OrganizationPoliciesTable = {
  organization_id: string
  default_access_level: AccessLevel
  /** true: Gatehouse makes Exchange's default level and device access rules those of this policy. */
  manage_organization_settings: boolean
}

/** Writer: control. An Exchange device access rule: family is DeviceType, model is DeviceModel. */
export type PlatformExceptionsTable = {
  organization_id: string
  characteristic: 'DeviceType' | 'DeviceModel'
  query_string: string
  access_level: AccessLevel
}

/** Writer: control. */
export type MessageTemplatesTable = { organization_id: string; locale: string; subject: string; body_markdown: string }

export type BrakeState = 'counting' | 'released' | 'held' | 'confirmed'

/** Writer: control. `brake`: no block of this run is written before it is `released` or `confirmed`. */
export type SyncRunsTable = {
  id: string
  organization_id: string
  sync_type: SyncType
  cause: string
  status: 'running' | 'held' | 'succeeded' | 'failed'
  brake: BrakeState
  brake_limit: number
  would_block: number
  confirmed_by: string | null
  counts: Json<Record<string, number>>
  problem: ColumnType<ProblemJson | null, string | null | undefined, string | null>
  started_at: Timestamp
  discovered_at: NullableTimestamp
  looked_up_at: NullableTimestamp
  finished_at: NullableTimestamp
}

/**
 * Writer: discovery. `observed_at` is when the read of Exchange **began**. `allowed_device_ids` and `blocked_device_ids`
 * are the mailbox's ActiveSyncAllowedDeviceIDs and ActiveSyncBlockedDeviceIDs, in Exchange's own case.
 * `published_run_id` is the last sync run that published this mailbox.
 */
export type MailboxesTable = {
  id: string
  organization_id: string
  distinguished_name: string
  primary_smtp_address: string
  display_name: string
  active_sync_enabled: boolean
  allowed_device_ids: string[]
  blocked_device_ids: string[]
  observed_at: Timestamp
  published_run_id: string | null
  vanished_at: NullableTimestamp
}

/** Writer: discovery. One Get-MobileDevice object. `device_id` keeps Exchange's case. Everything textual came from a phone. */
export type DevicePartnershipsTable = {
  id: string
  organization_id: string
  mailbox_id: string
  device_id: string
  device_type: string
  device_model: string
  device_os: string
  device_user_agent: string
  friendly_name: string
  client_type: string
  device_access_state: string
  device_access_state_reason: string
  first_sync_time: NullableTimestamp
  observed_at: Timestamp
  vanished_at: NullableTimestamp
}

/** Writer: discovery. */
export type ExchangeServersTable = {
  organization_id: string
  fqdn: string
  name: string
  admin_display_version: string
  is_client_access_server: boolean
  observed_at: Timestamp
}

/** Writer: discovery. The catalogue of seen type and model pairs (Graph's knownDeviceClasses). */
export type DeviceClassesTable = { organization_id: string; device_type: string; device_model: string; observed_at: Timestamp }

/**
 * Writer: compliance-lookup. One Intune managedDevice. `eas_device_id_key` is the trimmed, lower-cased easDeviceId, '' when
 * there is none. `missing_refreshes` counts the full reads in a row that did not list it: one missing row is no unenrolment.
 */
export type ManagedDevicesTable = {
  id: string
  user_id: string
  user_principal_name: string
  azure_ad_device_id: string
  azure_ad_registered: boolean
  device_registration_state: string
  eas_activated: boolean
  eas_device_id: string
  eas_device_id_key: string
  compliance_state: string
  compliance_grace_expires_at: NullableTimestamp
  management_agent: string
  last_sync_at: NullableTimestamp
  operating_system: string
  model: string
  device_name: string
  missing_refreshes: number
  refreshed_at: Timestamp
}

/** Writer: compliance-lookup. Users met in the groups of the policy. `licensed`: has an enabled Intune service plan. */
export type DirectoryUsersTable = {
  id: string
  user_principal_name: string
  mail: string
  licensed: boolean
  preferred_language: string | null
  refreshed_at: Timestamp
}

/** Writer: compliance-lookup. Transitive members of the policy's groups. */
export type GroupMembersTable = { group_id: string; user_id: string }

/** Writer: compliance-lookup. Names: `refresh` (last completed full refresh: its run and counts), `devices-delta` (deltaLink). */
export type GraphCursorsTable = {
  name: string
  value: string
  sync_run_id: string | null
  counts: Json<Record<string, number>>
  completed_at: Timestamp
}

/**
 * Writer: compliance-lookup. One row per partnership. `exemption` is what we want in the mailbox's lists for this device;
 * `access` is the access that follows. `inputs` is everything the decision was made from, for `gatehouse why`.
 */
export type DecisionsTable = {
  partnership_id: string
  organization_id: string
  mailbox_id: string
  device_id: string
  access: AccessLevel
  exemption: 'allow' | 'block' | 'none'
  reason: string
  inputs: Json<Record<string, unknown>>
  decision_version: BigInt8
  decided_at: Timestamp
}

/** Writer: compliance-lookup. `would_block`: partnerships of the mailbox that this decision would newly block. */
export type MailboxDecisionsTable = {
  mailbox_id: string
  organization_id: string
  decision_version: BigInt8
  sync_run_id: string | null
  would_block: number
  decided_at: Timestamp
}

export type AccessChangePlan = { allowAdd: string[]; allowRemove: string[]; blockAdd: string[]; blockRemove: string[] }

/**
 * Writer: enforcement. `announced`: the block is to come, the notice goes first. `writing`: the cmdlet was about to be
 * sent (a row left in this state is an uncertain write: read the mailbox back). `written`: Exchange confirmed it.
 * `verified`: a later read of Exchange showed it. `reported`: report-only, nothing was written. `failed`: see problem.
 */
export type AccessChangesTable = {
  id: string
  organization_id: string
  mailbox_id: string
  sync_run_id: string | null
  decision_version: BigInt8
  state: 'announced' | 'writing' | 'written' | 'verified' | 'reported' | 'failed' | 'superseded'
  plan: Json<AccessChangePlan>
  old_allowed: string[]
  old_blocked: string[]
  new_allowed: string[]
  new_blocked: string[]
  cmdlet: string
  problem: ColumnType<ProblemJson | null, string | null | undefined, string | null>
  announced_at: NullableTimestamp
  started_at: NullableTimestamp
  written_at: NullableTimestamp
  verified_at: NullableTimestamp
  duration_ms: number | null
  created_at: Generated<Date>
}

/** Writer: enforcement. The list entries that are ours; every other entry is an administrator's and is never touched. */
export type OwnExemptionsTable = {
  mailbox_id: string
  device_id_key: string
  list: 'allow' | 'block'
  device_id: string
  change_id: string
  created_at: Timestamp
}

/** Writer: enforcement. The last decision of a mailbox that was carried out (or found to need nothing). */
export type MailboxEnforcementsTable = {
  mailbox_id: string
  organization_id: string
  sync_run_id: string | null
  decision_version: BigInt8
  outcome: 'unchanged' | 'written' | 'reported' | 'failed'
  at: Timestamp
}

/** Writers: enforcement and discovery. One row per shell open (or perhaps still open) on the server, per account. */
export type RunspaceLeasesTable = {
  id: string
  account: string
  holder: string
  shell: ColumnType<Record<string, string> | null, string | null | undefined, string | null>
  taken_at: Timestamp
  expires_at: Timestamp
}

/** Writer: notification. `key` is unique: the same episode never makes two notices. */
export type NoticesTable = {
  id: string
  key: string
  organization_id: string
  mailbox_id: string | null
  change_id: string | null
  recipient: string
  locale: string
  template: string
  variables: Json<Record<string, unknown>>
  state: 'pending' | 'sending' | 'sent' | 'failed' | 'suppressed'
  attempts: number
  problem: ColumnType<ProblemJson | null, string | null | undefined, string | null>
  created_at: Timestamp
  sent_at: NullableTimestamp
}

/**
 * Writer: the service in `service`. Messages whose effect cannot be repeated harmlessly (a wipe), so that a second copy of one is
 * known again: `done_at` is null while, or if ever, it is not certain that the effect took place.
 */
export type ProcessedMessagesTable = {
  service: string
  message_id: string
  begun_at: Timestamp
  done_at: NullableTimestamp
}

/** Writer: control. Append-only. */
export type AuditTable = {
  id: string
  actor: string
  action: string
  subject: string
  detail: Json<Record<string, unknown>>
  at: Timestamp
}

export type Row<T extends keyof Database> = Selectable<Database[T]>
export type NewRow<T extends keyof Database> = Insertable<Database[T]>

/** Writer: each copy of each worker, its own row. What it says of itself every few seconds, for `gatehouse status`. */
export type WorkerStatesTable = {
  holder: string
  worker: string
  started_at: Timestamp
  seen_at: Timestamp
  state: Json<Record<string, unknown>>
}
